import pytest

torch = pytest.importorskip("torch")

from poselift.lab.poseclr.bank import Moments
from poselift.lab.poseclr.retrieval import match_ranks, raw_keypoints, retrieve
from poselift.lab.poseclr.views import Views


class Codes:
    """Moments whose views are a code of their own, with noise."""

    def __init__(self, noise=0.0, *, clips=None):
        self.noise, self.clips = noise, clips

    def batch(self, size, generator):
        codes = torch.randn(size, 1, 1, 4, 2, generator=generator)
        inputs = codes + self.noise * torch.randn(size, 2, 1, 4, 2, generator=generator)
        clip = torch.arange(size) if self.clips is None else torch.full((size,), self.clips)
        return Views(inputs, Moments(clip, torch.zeros(size, 2)))


def test_ranks_by_hand():
    similarity = torch.tensor([[0.9, 0.1, 0.2], [0.5, 0.4, 0.6], [0.3, 0.3, 0.3]])
    own = torch.eye(3, dtype=torch.bool)
    assert match_ranks(similarity, own).tolist() == [1, 3, 2]  # the last one's ties are counted half
    near = own.clone()
    near[1, 2] = near[2, 1] = True
    assert match_ranks(similarity, near).tolist() == [1, 2, 1.5]


def test_what_can_be_told_is_found():
    found = retrieve(raw_keypoints, Codes(), candidates=50)
    assert (found.top1, found.top5, found.median_rank, found.candidates) == (1, 1, 1, 50)


def test_what_all_have_in_common_does_not_hide_it():
    assert retrieve(lambda x: x + 1000, Codes(), candidates=50).top1 == 1


def test_a_collapsed_encoder_finds_by_chance():
    found = retrieve(lambda x: torch.ones(len(x), 3), Codes(), candidates=51)
    assert (found.top1, found.top5, found.median_rank) == (0, 0, 26)


def test_by_default_there_are_500_candidates():
    noise = torch.Generator().manual_seed(0)
    guess = retrieve(lambda x: torch.randn(len(x), 8, generator=noise), Codes())
    assert guess.candidates == 500
    assert guess.top1 < 0.02
    assert guess.median_rank == pytest.approx(250, abs=40)


def test_noise_makes_it_harder():
    easy, hard = (retrieve(raw_keypoints, Codes(noise), candidates=100) for noise in (0.3, 2.0))
    assert hard.top1 < easy.top1 < 1
    assert easy.top1 < easy.top5
    assert hard.median_rank > easy.median_rank


def test_the_same_moment_does_not_compete_with_itself():
    assert retrieve(raw_keypoints, Codes(5.0, clips=7), candidates=50).top1 == 1


def test_the_seed_decides():
    one, same, other = (retrieve(raw_keypoints, Codes(1.0), candidates=60, seed=s) for s in (0, 0, 1))
    assert one == same != other
