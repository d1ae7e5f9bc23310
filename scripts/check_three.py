"""Check in three.js, in a headless Chromium, that GLB and BVH files come in right; optionally take a picture.

    npm install three
    PYTHONPATH=src python scripts/check_three.py node_modules/three [--poses POSES.npz] [--picture figures.png]

Without a file, a person of constant bones turns every joint at random. Every figure is loaded by GLTFLoader and
BVHLoader, and its joints are compared with ours in five frames. The status is 1 when one is more than 1 mm off.
"""

import argparse
import functools
import html
import importlib.util
import json
import re
import shutil
import subprocess
import tempfile
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np

from poselift.formats import read_poses, save_poses
from poselift.formats.rigs import RIGS
from poselift.formats.rigs.figure import pose_rig
from poselift.skeleton import BODY_27

ROOT = Path(__file__).resolve().parents[1]
MOST_MM = 1.0
FLAGS = ("--headless", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--ignore-gpu-blocklist")
PAGE = """<!doctype html><body style="margin:0">
<script type="importmap">{"imports":{"three":"./three/build/three.module.js","three/addons/":"./three/examples/jsm/"}}
</script><script type="module">
import * as THREE from 'three';
import {GLTFLoader} from 'three/addons/loaders/GLTFLoader.js';
import {BVHLoader} from 'three/addons/loaders/BVHLoader.js';
const wanted = JSON.parse('WANTED'), found = {}, scene = new THREE.Scene();
scene.background = new THREE.Color(0xf4f4f4);
scene.add(new THREE.HemisphereLight(0xffffff, 0x888888, 3), new THREE.GridHelper(12, 24));
let number = 0;
for (const file of wanted.files) {
  const glb = file.endsWith('.glb');
  const got = await (glb ? new GLTFLoader() : new BVHLoader()).loadAsync(file);
  const root = glb ? got.scene : got.skeleton.bones[0], clip = glb ? got.animations[0] : got.clip;
  const mixer = new THREE.AnimationMixer(root), meshes = [];
  mixer.clipAction(clip).setLoop(THREE.LoopOnce).play().clampWhenFinished = true;
  const bones = glb ? [] : got.skeleton.bones;
  root.traverse(thing => { if (glb && thing.isBone) bones.push(thing); if (thing.isSkinnedMesh) meshes.push(thing); });
  found[file] = {meshes: meshes.length, duration: clip.duration, joints: {}};
  for (const time of wanted.times) {
    mixer.setTime(time);
    root.updateMatrixWorld(true);
    for (const bone of bones) {
      if (bone.name === 'ENDSITE') continue;
      const at = new THREE.Vector3().setFromMatrixPosition(bone.matrixWorld);
      (found[file].joints[bone.userData.name || bone.name] ??= []).push(at.toArray());
    }
  }
  if (glb) {
    const hips = new THREE.Vector3().setFromMatrixPosition(bones[0].matrixWorld);
    root.position.set((number++ - 3) * 1.05 - hips.x, 0, -hips.z);
    scene.add(root);
  }
}
const view = new THREE.WebGLRenderer({antialias: true, preserveDrawingBuffer: true});
view.setSize(1280, 560);
document.body.append(view.domElement);
const camera = new THREE.PerspectiveCamera(35, 1280 / 560, 0.1, 50);
camera.position.set(0.8, 1.7, 7);
camera.lookAt(0, 0.9, 0);
view.render(scene, camera);
const text = document.createElement('script');
Object.assign(text, {type: 'application/json', id: 'found', textContent: JSON.stringify(found)});
document.body.append(text);
</script>"""


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        """Say nothing for a request."""


def default_poses():
    spec = importlib.util.spec_from_file_location("acrobat", ROOT / "tests" / "geometry" / "acrobat.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.acrobat(3, 51, BODY_27, path=np.linspace((0, 0, 4), (1, -0.2, 4), 51))[0]


def chromium(*arguments: str) -> str:
    program = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))))
    command = [program, *FLAGS, "--no-sandbox", "--window-size=1280,560", "--virtual-time-budget=60000", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=600, check=True).stdout


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("three", type=Path)
    parser.add_argument("--poses", type=Path)
    parser.add_argument("--picture", type=Path)
    options = parser.parse_args()
    poses = read_poses(options.poses) if options.poses else default_poses()
    frames = np.linspace(0, len(poses) - 1, 5).astype(int)
    failed = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "three").symlink_to(options.three.resolve())
        for rig in RIGS:
            save_poses(poses, folder / f"{rig}.glb", rig=rig)
            save_poses(poses, file := folder / f"{rig}.bvh", rig=rig, unit="m")
            file.write_text(file.read_text().replace("mixamorig:", "mixamorig"))  # BVHLoader cannot move names with a :
        files = [f"{rig}.{ending}" for rig in RIGS for ending in ("glb", "bvh")]
        wanted = {"files": files, "times": [float(frame / poses.fps) for frame in frames]}
        (folder / "page.html").write_text(PAGE.replace("WANTED", json.dumps(wanted)))
        server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=name))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/page.html"
        page = chromium("--dump-dom", address)
        if options.picture:
            chromium(f"--screenshot={options.picture.resolve()}", address)
        server.shutdown()
    text = re.search(r'<script type="application/json" id="found">(.*?)</script>', page, re.DOTALL)
    found = json.loads(html.unescape(text[1]))
    for file in files:
        rig, _, ending = file.partition(".")
        off = 0.0
        for joint in pose_rig(poses, RIGS[rig]).joints:
            name = joint.name if ending == "glb" else joint.name.replace(":", "")
            places = np.array(found[file]["joints"][name])
            off = max(off, 1000 * float(np.abs(places - joint.place[frames]).max()))
        bodies = found[file]["meshes"]
        print(f"{file:13} joints within {off:.3f} mm, {found[file]['duration']:.3f} s, {bodies} meshes on them")
        failed |= not off < MOST_MM or bodies != (3 if ending == "glb" else 0)
    print("FAILED" if failed else "all within bounds")
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
