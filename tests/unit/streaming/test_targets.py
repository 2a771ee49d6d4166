"""How targets are written, and what is refused before anything is opened."""

from pathlib import Path

import pytest
from puppets import streamed

from amesh.errors import UserError
from amesh.streaming.targets import parse_targets


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("vmc://", "vmc://127.0.0.1:39539"),
        ("vmc://:39540", "vmc://127.0.0.1:39540"),
        ("ifacialmocap://192.168.1.7", "ifacialmocap://192.168.1.7:49983"),
        ("osc://stage.local:9000/", "osc://stage.local:9000"),
        ("osc://[::1]:9000", "osc://[::1]:9000"),
        ("jsonl:-", "jsonl:-"),
        ("jsonl:out/faces.ndjson", "jsonl:out/faces.ndjson"),
    ],
)
def test_what_may_be_left_out(text: str, name: str) -> None:
    [target] = parse_targets([text])
    assert target.name == name
    assert target.live == (not text.startswith("jsonl"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("127.0.0.1:9000", "expected vmc://HOST:PORT, ifacialmocap://HOST:PORT, osc://HOST:PORT"),
        ("udp://127.0.0.1:9000", "expected vmc://"),
        ("jsonl:", "expected vmc://"),
        ("osc://127.0.0.1", "give a port, 1 to 65535"),
        ("osc://127.0.0.1:0", "the port must be 1 to 65535"),
        ("vmc://127.0.0.1:99999", "the port must be 1 to 65535"),
        ("vmc://127.0.0.1:-1", "the port must be 1 to 65535"),
        ("vmc://127.0.0.1:face", "the port must be 1 to 65535"),
        ("vmc://127.0.0.1:39539/face", "expected vmc://HOST:PORT"),
        ("vmc://me@127.0.0.1:39539", "expected vmc://HOST:PORT"),
        ("vmc://[::1:39539", "an IPv6 address stands in brackets, as in vmc://[::1]:39539"),
        ("osc://::1]:9000", "an IPv6 address stands in brackets, as in osc://[::1]:9000"),
        ("vmc://fe80::1:39539", "an IPv6 address stands in brackets"),
        ("vmc://::1", "an IPv6 address stands in brackets"),
        ("vmc://[::1]x:39539", "an IPv6 address stands in brackets"),
        ("jsonl:clip.mp4", "it writes JSON lines; give a name that ends in .jsonl"),
    ],
)
def test_what_is_refused(text: str, message: str) -> None:
    with pytest.raises(UserError, match="--stream ") as error:
        parse_targets([text])
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "texts",
    [
        ("vmc://", "vmc://127.0.0.1:39539"),
        ("vmc://:9000", "osc://:9000"),
        ("jsonl:-", "jsonl:-"),
        ("jsonl:a.jsonl", "jsonl:./a.jsonl"),
        ("jsonl:-", "jsonl:link.jsonl"),
    ],
)
def test_two_targets_do_not_share_a_place(
    texts: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("link.jsonl").symlink_to("/dev/stdout")
    with pytest.raises(UserError, match="go to the same place"):
        parse_targets(texts)


def test_the_home_folder_is_found_where_no_shell_finds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    [target] = parse_targets(["jsonl:~/a.jsonl"])
    assert target.place == str(tmp_path / "a.jsonl")
    with target.open(print) as sink:
        sink.send(streamed())
    assert (tmp_path / "a.jsonl").exists()


def test_several_targets() -> None:
    names = [one.name for one in parse_targets(["vmc://", "osc://:9000", "jsonl:-"])]
    assert names == ["vmc://127.0.0.1:39539", "osc://127.0.0.1:9000", "jsonl:-"]
