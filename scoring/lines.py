"""A score and its reasons as the line of JSON that replies carry, from text made beforehand.

What is the same in every reply, a feature's name and the words of its sentence, is put into JSON
once; a reason then costs a few numbers written out. A test holds that the lines say what
`reasons_of` and `groups_of` say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import itemgetter

import numpy as np
import numpy.typing as npt
import orjson

from base.bilingual import Language
from scoring.bundle import ScoredFeature
from scoring.explanation import Explanation
from scoring.points import Points, points_along, without_dust
from scoring.quadrature.engine import strongest_of
from scoring.scorer import Scorer, Scores
from scoring.sentences import missing_sentence, number_shower, sentence, sentence_words

Floats = npt.NDArray[np.float64]
Value = float | str | None


@dataclass(frozen=True)
class Score:
    """What is told of one clue, as of `moment`. `places`: its strongest features, strongest first;
    `values` and `contributions` are of all features in the manifest's order."""

    clue_id: str
    probability: float
    margin: float
    base: float
    values: Sequence[Value]
    contributions: Sequence[float]
    places: Sequence[int]
    flags: Sequence[str]
    points: Points
    moment: datetime


def scores_to_tell(
    scorer: Scorer,
    clue_ids: Sequence[str],
    scores: Scores,
    explanation: Explanation,
    matrix: Floats,
    values: Sequence[Sequence[Value]],
    moments: Sequence[datetime],
    most: int,
) -> list[Score]:
    """What there is to tell of rows that were scored; all are parallel. `most`: reasons asked for.

    `matrix` (rows, features) is what the trees read, `values` the same as callers know it.
    """
    found = explanation.contributions
    places = strongest_of(np.ascontiguousarray(found), min(most, found.shape[1])).tolist()
    calibrator = scorer.calibrator
    points = points_along(
        lambda margin: calibrator.probability(margin, matrix),
        base=explanation.base,
        margin=scores.margin,
    )
    each = zip(
        clue_ids, scores.probability.tolist(), scores.margin.tolist(), explanation.base.tolist(),
        values, found.tolist(), places, scores.flags, points, moments,
        strict=True,
    )  # fmt: skip
    return [Score(*row) for row in each]


class Lines:
    """Of one scorer's features, in one language. Safe to share between threads."""

    def __init__(self, features: Sequence[ScoredFeature], language: Language) -> None:
        self._features, self._language = features, language
        self._all_grouped = all(feature.group is not None for feature in features)
        self._words: list[_Words | None] = [None] * len(features)
        members: dict[str, list[int]] = {}
        titles = {}
        for at, feature in enumerate(features):
            if feature.group is not None:
                members.setdefault(feature.group.name, []).append(at)
                titles[feature.group.name] = feature.group.title.in_language(language)
        self._groups = [
            (name, f'{{"group":{_text(name)},"title":{_text(titles[name])}', _taking(places))
            for name, places in members.items()
        ]

    def of(self, score: Score, reasons: int) -> str:
        """The line with so many reasons, at most those in `places`.

        base + contributions + other = margin, and so with the groups (P-6).
        """
        points, rest, places = score.points, score.margin - score.base, score.places[:reasons]
        parts = [score.contributions[at] for at in places]
        groups, sums = self._grouped(score)
        told = [score.probability, score.margin, score.base, points.base_probability]
        for each in (parts, sums):
            told += [rest - math.fsum(each), points.rest(math.fsum(map(points.of, each)))]
        if self._all_grouped:
            told[-2:] = map(without_dust, told[-2:])
        probability, margin, base, base_probability, *others = _numbers(told)
        return (
            f'{{"clue_id":{_text(score.clue_id)},"probability":{probability},"margin":{margin}'
            f',"base":{base},"reasons":[{",".join(self._reasons(score, places, parts))}]'
            f',"other":{others[0]},"flags":{_text(score.flags)},"base_probability":{base_probability}'
            f',"other_points":{others[1]},"groups":[{",".join(groups)}]'
            f',"groups_other":{others[2]},"groups_other_points":{others[3]}'
            f',"moment":"{score.moment.isoformat()}"}}'
        )

    def _reasons(self, score: Score, places: Sequence[int], parts: list[float]) -> Iterator[str]:
        count, of = len(places), score.points.of
        values = [score.values[at] for at in places]
        plain = [None if isinstance(value, str) else value for value in values]
        numbers = _numbers([*parts, *map(of, parts), *plain])
        for at, value, part, points, shown in zip(
            places, values, numbers, numbers[count:], numbers[2 * count :], strict=False
        ):
            words = self._words[at]
            if words is None:
                words = self._words[at] = _Words(self._features[at], self._language)
            if value is None:
                said = words.missing
            elif isinstance(value, str):
                shown, said = _text(value), words.of_category(value)
            else:
                said = words.show(value).join(words.around)
            yield (
                f'{words.head}{shown},"contribution":{part},"points":{points},"sentence":"{said}"}}'
            )

    def _grouped(self, score: Score) -> tuple[list[str], list[float]]:
        """Strongest first, and their sums."""
        if not self._groups:
            return [], []
        found = [
            (math.fsum(taken(score.contributions)), name, head)
            for name, head, taken in self._groups
        ]
        found.sort(key=lambda each: (-abs(each[0]), each[1]))
        sums = [each[0] for each in found]
        numbers = _numbers([*sums, *map(score.points.of, sums)])
        told = [
            f'{head},"contribution":{part},"points":{points}}}'
            for (_, _, head), part, points in zip(
                found, numbers, numbers[len(sums) :], strict=False
            )
        ]
        return told, sums


class _Words:
    """A feature's parts of a line, in JSON. `around`: its sentence, cut where the value stands."""

    def __init__(self, feature: ScoredFeature, language: Language) -> None:
        self._feature, self._language = feature, language
        self.head = f'{{"feature":{_text(feature.name)},"value":'
        self.around = _text(sentence_words(feature, language))[1:-1].split("{value}")
        self.missing = _text(missing_sentence(feature, language))[1:-1]
        self.show = number_shower(feature.show, language)
        known = feature.categories
        self._categories = {word: self._said(word) for word in known}

    def of_category(self, word: str) -> str:
        """Its sentence about a category; one that the scorer never saw is written out anew."""
        return self._categories.get(word) or self._said(word)

    def _said(self, word: str) -> str:
        return _text(sentence(self._feature, word, self._language))[1:-1]


def _taking(places: list[int]) -> Callable[[Sequence[float]], Sequence[float]]:
    if len(places) == 1:
        return lambda parts: (parts[places[0]],)
    return itemgetter(*places)


def _numbers(values: Sequence[float | None]) -> list[str]:
    """Numbers in JSON: shortest digits that read back the same, found faster than by `repr`."""
    return orjson.dumps(values).decode()[1:-1].split(",")


def _text(value: str | Sequence[str]) -> str:
    return orjson.dumps(value).decode()
