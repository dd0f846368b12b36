"""What holds a secret is recognised, and what does not is left as it was."""

from __future__ import annotations

import pytest

from resnet_zoo.runs import redact, redact_arguments, redact_text
from resnet_zoo.runs.redact import REDACTED, is_secret_name


@pytest.mark.parametrize(
    "name",
    [
        "WANDB_API_KEY", "api_key", "--logger.api-key", "HF_TOKEN", "--token", "password", "db_passwd",
        "AWS_SECRET_ACCESS_KEY", "aws_access_key_id", "client.secret", "credentials",
    ],
)  # fmt: skip
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "key",
        "monitor_key",
        "monkey",
        "tokenizer",
        "num_tokens_seen",
        "--model.backbone",
        "keyboard",
        "secretary",
    ],
)
def test_names_of_no_secrets(name: str) -> None:
    assert not is_secret_name(name)


def test_options_lose_their_value_and_keep_their_place() -> None:
    arguments = ["fit", "--api_key", "abc", "--x.token=def", "--lr", "0.1", "--password", "--seed", "1"]
    assert redact_arguments(arguments) == [
        "fit", "--api_key", REDACTED, f"--x.token={REDACTED}", "--lr", "0.1", "--password", "--seed", "1",
    ]  # fmt: skip


def test_urls_lose_user_and_password_only() -> None:
    text = "from https://user:pa$$w@host:80/a?b=c and s3://bucket/x@y"
    assert redact_text(text) == f"from https://{REDACTED}@host:80/a?b=c and s3://bucket/x@y"


def test_values_of_secret_variables_are_found_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "correct-horse")
    monkeypatch.setenv("SHORT_TOKEN", "a")
    assert redact({"a": ["x correct-horse y"], "b": 1}) == {"a": [f"x {REDACTED} y"], "b": 1}


def test_nested_data_keeps_its_structure() -> None:
    data = {"logger": {"api_key": "abc", "token": None}, "sizes": (1, 2.5, None, True)}
    assert redact(data) == {"logger": {"api_key": REDACTED, "token": None}, "sizes": [1, 2.5, None, True]}
