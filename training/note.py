"""A remark beside figures, for whoever reads them: English as plain text, and the same in Chinese.

It is a str, so that answers, tracking and logs have the English one; reports show both.
"""

from __future__ import annotations

from typing import Self

from base.bilingual import Bilingual


class Note(str):
    """The English words; `zh` are the Chinese ones."""

    zh: str

    def __new__(cls, en: str, zh: str) -> Self:
        """Both are told as they stand, so numbers must be in both."""
        made = super().__new__(cls, en)
        made.zh = zh
        return made

    @property
    def words(self) -> Bilingual:
        """As reports show it."""
        return Bilingual(zh=self.zh, en=str(self))

    def of_the_test(self) -> Note:
        """The same remark about test clues."""
        return Note(f"test {self}", f"测试线索：{self.zh}")
