"""Files that come from elsewhere run nothing, plugins run only when named, and secrets stay where they were given."""

from __future__ import annotations

import ast
import io
import os
import pickle
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from resnet_zoo.cli.main import main, print_traceback
from resnet_zoo.data import CIFAR10
from resnet_zoo.data.walk import folders_below
from resnet_zoo.errors import InvalidValue, MissingData
from resnet_zoo.registry import registry
from resnet_zoo.runs import RunDirectory, remember_secrets
from tests.fake_plugins import SitePackages

redact_module = sys.modules[remember_secrets.__module__]  # the package has a function of that name
PACKAGE = Path(__file__).resolve().parent.parent / "resnet_zoo"
SHORT = ["--config", "quickstart", "--trainer.max_epochs", "1", "--trainer.limit_train_batches", "2",
         "--model.backbone.width", "4", "--trainer.enable_progress_bar", "false"]  # fmt: skip

# What can run code that a file carries, or write where an archive says: where it is used, and why that is safe.
DOORS = {
    "torch.load": {
        "safe_load.py": "with weights_only",
        "conformance/saving.py": "of bytes that this process has just written, with weights_only",
    },
    "pickle.loads": {
        "data/cifar.py": "of a file whose hash was checked",
        "conformance/saving.py": "of bytes that this process has just written",
    },
}
FORBIDDEN = {"pickle.load", "pickle.Unpickler", "extractall", "unpack_archive", "eval", "exec", "yaml.unsafe_load",
             "allow_pickle", "os.system", "shell"}  # fmt: skip


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SitePackages:
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    return SitePackages(tmp_path / "site-packages", monkeypatch)


class Payload:
    """A pickled object that would make a file when it is loaded."""

    def __init__(self, witness: Path) -> None:
        self.witness = witness

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch {self.witness}",)


def used_names(path: Path) -> Iterator[str]:
    """Dotted names that are called, bare method names, and keywords that are not plainly False."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            yield name
            yield from [name.rpartition(".")[2]] if "." in name and "model" not in name else []
            yield from [
                str(keyword.arg)
                for keyword in node.keywords
                if keyword.arg in ("allow_pickle", "shell") and ast.unparse(keyword.value) != "False"
            ]


def test_there_is_one_door_for_files_that_could_run_code() -> None:
    found: dict[str, set[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for name in used_names(path):
            found.setdefault(name, set()).add(path.relative_to(PACKAGE).as_posix())
    for name, places in DOORS.items():
        assert found.get(name, set()) == set(places), (
            f"{name}: say in DOORS why that is safe, or use load_plain"
        )
    methods = {"eval"}  # model.eval() is torch's
    assert not {name: found[name] for name in FORBIDDEN - methods if name in found}
    for place in DOORS["torch.load"]:
        assert "weights_only=True" in (PACKAGE / place).read_text()
    assert "weights_only=False" not in "".join(path.read_text() for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("option", ["--ckpt_path", "--model.weights"])
def test_a_file_with_a_pickled_payload_is_refused_and_nothing_in_it_runs(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, witness = tmp_path / "evil.ckpt", tmp_path / "ran"
    torch.save({"state_dict": {"head.weight": torch.zeros(1)}, "callbacks": Payload(witness)}, path)
    code = main(["fit", *SHORT, "--logger", "none", "--run_dir", str(tmp_path / "run"), option, str(path)])
    assert code == 2
    error = capsys.readouterr().err
    assert "evil.ckpt' carries pickled objects (posix.system), which could run any code" in error
    assert "it was refused" in error
    assert not witness.exists()
    assert not (tmp_path / "run").exists()


def plain_leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if type(value) in (dict, torch.nn.modules.module.OrderedDict):
        for key, inner in value.items():
            yield from plain_leaves(key, f"{path}.key")
            yield from plain_leaves(inner, f"{path}.{key}")
    elif type(value) in (list, tuple):
        for position, inner in enumerate(value):
            yield from plain_leaves(inner, f"{path}.{position}")
    else:
        yield path, value


def test_checkpoints_of_every_callback_hold_tensors_and_plain_types_only(
    tmp_path: Path, site: SitePackages
) -> None:
    """And a fit, and a list, import no plugin that was not named."""
    witness = tmp_path / "imported"
    source = f"from pathlib import Path\nPath({str(witness)!r}).touch()\n"
    site.install("evil-nets", "0.1", "evil_nets", source, evil_net="evil_nets:evil_net")
    assert main(["list", "evil*"]) == 0
    config = tmp_path / "my.yaml"
    callbacks = [
        "{class_path: EarlyStopping, init_args: {monitor: val/loss, patience: 3}}",
        "{class_path: LearningRateMonitor}",
        "{class_path: Timer, init_args: {duration: '00:01:00:00', interval: step}}",
        "{class_path: ModelCheckpoint, init_args: {dirpath: DIR, filename: theirs}}",
    ]
    text = "trainer:\n  callbacks:\n" + "".join(f"  - {line}\n" for line in callbacks)
    config.write_text(text.replace("DIR", str(tmp_path / "theirs")))
    words = ["fit", *SHORT, "--config", str(config), "--logger", "none", "--run_dir", str(tmp_path / "run")]
    assert main([*words, "--checkpoint.keep_every_n_epochs", "1", "--ema.decay", "0.9"]) == 0
    assert not witness.exists()
    assert "evil_nets" not in sys.modules
    files = [*tmp_path.rglob("*.ckpt")]
    assert {path.name for path in files} >= {"last.ckpt", "epoch-0001.ckpt", "theirs.ckpt"}
    for path in files:
        checkpoint = torch.load(path, weights_only=True)
        assert checkpoint["ema"]["state_dict"].keys() == checkpoint["state_dict"].keys()
        for place, leaf in plain_leaves(checkpoint):
            kind = type(leaf)
            assert kind in (int, float, bool, str, bytes, type(None), torch.Tensor), f"{place}: {kind}"


SECRETS = {"API_KEY_VALUE": "swordfish-4711", "URL": "hunter2-hunter2", "ENVIRONMENT": "opensesame-opensesame",
           "OPTION": "correct-horse-battery"}  # fmt: skip
NOTIFIER = '''
from lightning.pytorch import Callback

class Notifier(Callback):
    """Reports somewhere; fails if told to, with everything it knows."""

    def __init__(self, api_key: str, url: str, access_token: str = "", fails: bool = False) -> None:
        self.texts, self.fails = (api_key, url, access_token), fails

    def on_train_epoch_start(self, trainer, module):
        if self.fails:
            raise ConnectionError("cannot log in with %s at %s as %s" % self.texts)
'''


@pytest.mark.parametrize("fails", [pytest.param(False, marks=pytest.mark.slow), True])
def test_secrets_are_in_nothing_that_a_run_writes(
    fails: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "notifier.py").write_text(NOTIFIER)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(redact_module, "_given", set())
    monkeypatch.setenv("WANDB_API_KEY", SECRETS["ENVIRONMENT"] * 3)
    config = tmp_path / "my.yaml"
    config.write_text(
        "trainer:\n  callbacks:\n  - class_path: notifier.Notifier\n    init_args:\n"
        f"      api_key: {SECRETS['API_KEY_VALUE']}\n      url: https://somebody:{SECRETS['URL']}@host.invalid/\n"
        f"      access_token: {SECRETS['OPTION']}\n      fails: {str(fails).lower()}\n"
    )
    words = ["fit", *SHORT, "--config", str(config), "--run_dir", str(tmp_path / "run"), "--wandb.notes",
             f"key {SECRETS['ENVIRONMENT'] * 3} of {SECRETS['OPTION']}"]  # fmt: skip
    monkeypatch.setattr(sys, "argv", ["resnet-zoo", *words])
    if fails:
        with pytest.raises(ConnectionError) as caught:
            main(words)
        print_traceback(caught.type, caught.value, caught.tb)
    else:
        assert main(words) == 0
    output = capfd.readouterr()
    shown = output.out + output.err
    assert ("cannot log in with [redacted] at https://[redacted]@host.invalid/" in shown) == fails
    files = [path for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert {"config.yaml", "record.json", "status.json"} <= {path.name for path in files}
    assert any(path.suffix == ".wandb" for path in files)
    for secret in SECRETS.values():
        assert secret not in shown
        assert not [path for path in files if secret.encode() in path.read_bytes()]


def test_a_mistake_is_told_without_the_secret_in_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redact_module, "_given", set())
    assert main(["fit", *SHORT, "--data.api_key", SECRETS["OPTION"]]) == 2
    assert main(["fit", *SHORT, f"--wandb.token={SECRETS['OPTION']}"]) == 2
    assert main(["fit", *SHORT, "--config", "https://me:hunter2@host.invalid/"]) == 2
    output = capsys.readouterr()
    assert SECRETS["OPTION"] not in output.out + output.err
    assert "hunter2" not in output.err


def altered_cifar(root: Path, witness: Path) -> Path:
    """The files of CIFAR-10 as an attacker would have them."""
    folder = root / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    names = [*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"]
    for name in names:
        (folder / name).write_bytes(pickle.dumps(Payload(witness)))
    return folder


def test_an_altered_data_set_is_refused_and_nothing_in_it_runs(tmp_path: Path) -> None:
    witness = tmp_path / "ran"
    altered_cifar(tmp_path / "data", witness)
    data = CIFAR10(root=str(tmp_path / "data"))
    with pytest.raises(MissingData, match="damaged or not the original: a checksum differs"):
        data.load_split("train")
    with pytest.raises(MissingData, match="a checksum differs"):
        _ = data.class_names
    assert not witness.exists()


def test_an_altered_archive_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is there already, but is not the original; and what it holds would land outside of its folder."""
    root = tmp_path / "data"
    root.mkdir()
    with tarfile.open(root / "cifar-10-python.tar.gz", "w:gz") as archive:
        member = tarfile.TarInfo("../escaped")
        member.size = 4
        archive.addfile(member, io.BytesIO(b"evil"))
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    data = CIFAR10(root=str(root), download=True)
    with pytest.raises(MissingData, match="could not be downloaded"):
        data.prepare_data()
    assert not (tmp_path / "escaped").exists()
    assert not (root / "cifar-10-batches-py").exists()


def test_a_config_runs_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config, witness = tmp_path / "my.yaml", tmp_path / "ran"
    config.write_text(f"trainer: !!python/object/apply:os.system ['touch {witness}']\n")
    assert main(["fit", "--config", str(config)]) == 2
    assert not witness.exists()
    assert "my.yaml" in capsys.readouterr().err


def test_links_among_images_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere" / "deep", tmp_path / "train"
    elsewhere.mkdir(parents=True)
    (elsewhere / "b.png").touch()
    (folder / "cat").mkdir(parents=True)
    (folder / "cat" / "a.png").symlink_to(elsewhere / "b.png")
    (folder / "dog").symlink_to(elsewhere, target_is_directory=True)
    found = [f"{place.inside}/{name}" for place in folders_below(str(folder)) for name in place.names]
    assert found == ["cat/a.png", "dog/b.png"]
    (elsewhere / "again").symlink_to(elsewhere.parent, target_is_directory=True)
    with pytest.raises(
        InvalidValue, match=r"the link '.*dog/again' leads back to '.*elsewhere', which it lies in"
    ):
        folders_below(str(folder))


@pytest.mark.parametrize("name", ["../escaped", "/absolute", "a/b", "..", ""])
def test_names_of_configs_cannot_lead_out_of_the_folder_of_runs(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidValue, match="does not serve as a folder name"):
        RunDirectory.create(tmp_path / "runs", name)
    assert not [path for path in tmp_path.rglob("*") if path.name in ("escaped", "1")]
