import pytest

torch = pytest.importorskip("torch")

from poselift.lab.poseclr.bank import MemoryBank, Moments


def moments(*rows):
    """Rows of (clip, first second, last second)."""
    return Moments(torch.tensor([r[0] for r in rows]), torch.tensor([[float(r[1]), float(r[2])] for r in rows]))


def vectors(*values):
    return torch.tensor([[float(value), 0.0] for value in values])


def test_windows_of_one_recording_that_overlap_are_one_moment():
    anchors = moments((3, 1.0, 2.0))
    others = moments((3, 0.0, 0.9), (3, 0.0, 1.0), (3, 1.2, 1.4), (3, 2.1, 3.0), (4, 1.0, 2.0), (3, 0.0, 9.0))
    assert anchors.overlap(others, 0.0).tolist() == [[False, True, True, False, False, True]]
    assert anchors.overlap(others, 0.15).tolist() == [[True, True, True, True, False, True]]
    assert torch.equal(anchors.overlap(others, 0.05).T, others.overlap(anchors, 0.05))


def test_single_frames_have_the_margin_alone():
    one = moments((0, 1.0, 1.0))
    others = moments((0, 1.25, 1.25), (0, 1.3, 1.3), (0, 0.75, 0.75))
    assert one.overlap(others, 0.25).tolist() == [[True, False, True]]


def test_first_in_first_out():
    bank = MemoryBank(5, 2)
    assert not bank.filled.any()
    assert bank.age == 0
    bank.push(vectors(1, 2, 3), moments((1, 0, 1), (2, 0, 1), (3, 0, 1)))
    assert bank.embeddings[:, 0].tolist() == [1, 2, 3, 0, 0]
    assert bank.clip.tolist() == [1, 2, 3, -1, -1]
    assert bank.filled.tolist() == [True, True, True, False, False]
    bank.push(vectors(4, 5, 6), moments((4, 0, 1), (5, 0, 1), (6, 2, 3)))
    assert bank.embeddings[:, 0].tolist() == [6, 2, 3, 4, 5]
    assert bank.clip.tolist() == [6, 2, 3, 4, 5]
    assert bank.span_s[0].tolist() == [2, 3]
    assert bank.age == pytest.approx(2 / 5)  # two of the first push, three of the last
    bank.push(vectors(7), moments((7, 0, 1)))
    assert bank.embeddings[:, 0].tolist() == [6, 7, 3, 4, 5]


def test_more_than_it_holds_leaves_the_last():
    bank = MemoryBank(2, 2)
    bank.push(vectors(1), moments((1, 0, 1)))
    bank.push(vectors(2, 3, 4), moments((2, 0, 1), (3, 0, 1), (4, 0, 1)))
    assert sorted(bank.clip.tolist()) == [3, 4]
    assert bank.filled.all()


def test_no_view_of_the_anchor_s_moment_is_usable_and_others_are():
    bank = MemoryBank(4, 2)
    bank.push(vectors(1, 2, 3), moments((1, 0, 1), (1, 5, 6), (2, 0, 1)))
    assert bank.usable(moments((1, 0.5, 1.5), (9, 0, 1)), 0.0).tolist() == [
        [False, True, True, False],  # its own moment; another time; another recording; nothing there
        [True, True, True, False],
    ]


def test_its_state_is_all_there_is():
    bank, other = MemoryBank(3, 2), MemoryBank(3, 2)
    bank.push(vectors(1, 2), moments((1, 0, 1), (2, 3, 4)))
    other.load_state_dict(bank.state_dict())
    for one in (bank, other):
        one.push(vectors(3, 4), moments((3, 0, 1), (4, 0, 1)))
    for name, value in bank.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_embeddings_are_kept_without_their_graph():
    bank = MemoryBank(2, 2)
    bank.push(vectors(1).requires_grad_(True) * 2, moments((1, 0, 1)))
    assert not bank.embeddings.requires_grad
