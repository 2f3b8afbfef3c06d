"""Whether a registry answers: one probe for /ready and for whoever moves an alias."""

from __future__ import annotations

import socket
from pathlib import Path

from scoring.answering import answers


def test_a_file_answers_where_it_is_and_an_address_where_somebody_listens(tmp_path: Path) -> None:
    """With the scheme's own port or a given one; nobody there is told at once."""
    store = tmp_path / "mlflow.db"
    assert not answers(f"sqlite:///{store}", 1)
    store.touch()
    assert answers(f"sqlite:///{store}", 1)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for scheme in ("http", "https", "postgresql+psycopg"):
            assert answers(f"{scheme}://127.0.0.1:{port}/db", 1)
    assert not answers(f"http://127.0.0.1:{port}", 1)


def test_what_cannot_be_asked_is_taken_to_answer(tmp_path: Path) -> None:
    """A folder, or a scheme that nobody here knows."""
    assert answers(tmp_path.as_uri(), 1)
    assert answers("databricks://profile", 1)
