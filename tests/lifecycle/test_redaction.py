"""Secrets in URLs, texts and parameters."""

import pytest

from pytest_lambda_lifecycle.lifecycle.redaction import (
    is_secret_name,
    redacted_text,
    redacted_url,
    redacted_value,
)

SIGNED = (
    "https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIA%2F2026"
    "&X-Amz-Date=20261128T000000Z&X-Amz-Expires=60&X-Amz-SignedHeaders=host"
    "&X-Amz-Security-Token=IQoJ&X-Amz-Signature=abc0"
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://h/a", "https://h/a"),
        ("https://user:pass@h/a", "https://***@h/a"),
        ("https://token@h/a", "https://***@h/a"),
        ("https://user:p@ss:w@h/a?b=c@d", "https://***@h/a?b=c@d"),
        ("https://h/@scope/name", "https://h/@scope/name"),
        ("//user:pass@h/a", "//***@h/a"),
        ("https://h/?api_key=k&page=2", "https://h/?api_key=***&page=2"),
        ("https://h/?apiKey=k&appid=k&key=k", "https://h/?apiKey=***&appid=***&key=***"),
        ("https://h/?subscriptionKey=k", "https://h/?subscriptionKey=***"),
        (
            "https://h/?PHPSESSID=k&csrf=k&SAMLResponse=k",
            "https://h/?PHPSESSID=***&csrf=***&SAMLResponse=***",
        ),
        ("https://h/?device_code=k&country_code=DE", "https://h/?device_code=***&country_code=DE"),
        ("https://h/?client%5Fsecret=k", "https://h/?client%5Fsecret=***"),
        ("https://h/?api%2Dkey=k", "https://h/?api%2Dkey=***"),
        ("https://h/?user[password]=k&user[name]=n", "https://h/?user[password]=***&user[name]=n"),
        ("https://h/?user%5Bpassword%5D=k", "https://h/?user%5Bpassword%5D=***"),
        ("https://h/?sig=k;sv=2;se=3", "https://h/?sig=***;sv=2;se=3"),
        ("https://h/#access_token=k&state=s", "https://h/#access_token=***&state=s"),
        ("https://h/?token=", "https://h/?token="),
        ("https://h/?token", "https://h/?token"),
        ("https://h/?next_token=abc&author=me", "https://h/?next_token=abc&author=me"),
        ("https://h/?Key-Pair-Id=K1&Signature=s", "https://h/?Key-Pair-Id=K1&Signature=***"),
        (
            "https://h/?to=https%3A%2F%2Fu%3Ap%40o%2F%3Ftoken%3Dk%26a%3D1",
            "https://h/?to=https://***@o/?token=***&a=1",
        ),
        ("https://h/?q=50%25", "https://h/?q=50%25"),
        ("https://h/?sid=1&otp=2&code=3", "https://h/?sid=***&otp=***&code=***"),
    ],
)
def test_a_url_is_shown_without_its_secrets(url, shown):
    assert redacted_url(url) == shown


def test_a_signed_url_is_shown_without_its_signature():
    shown = redacted_url(SIGNED)
    assert "X-Amz-Expires=60" in shown
    assert not any(secret in shown for secret in ("AKIA", "IQoJ", "abc0"))


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("Max retries exceeded with url: /a?token=sesame (Caused by X)", "sesame"),
        ("GET https://me:sesame@h/ failed", "sesame"),
        ("{'Authorization': 'Bearer sesame', 'Accept': '*/*'}", "sesame"),
        ('{"x-api-key": "sesame"}', "sesame"),
        ("headers: Authorization: Bearer sesame", "sesame"),
        ("password='sesame'", "sesame"),
        ("{'Cookie': b'id=sesame'}", "sesame"),
        ("AWS4-HMAC-SHA256 Credential=sesame/2026, Signature=sesame", "sesame"),
    ],
)
def test_a_text_is_shown_without_its_secrets(text, hidden):
    assert hidden not in redacted_text(text)
    assert "***" in redacted_text(text)


def test_a_text_without_secrets_stays():
    text = "Connection to h port 80: GET /a?page=2 'name': 'x' (user at example)"
    assert redacted_text(text) == text


def test_parameters_are_copied_without_secrets():
    parameters = {
        "SecretString": "sesame",
        "Key": {"id": {"S": "1"}},
        "Name": "n",
        "Tags": [{"Password": "sesame", "Value": "v"}],
        "NextToken": "abc",
        "SecretBinary": None,
    }
    assert redacted_value("", parameters) == {
        "SecretString": "***",
        "Key": {"id": {"S": "1"}},
        "Name": "n",
        "Tags": [{"Password": "***", "Value": "v"}],
        "NextToken": "abc",
        "SecretBinary": None,
    }
    assert redacted_value("", {"Bucket": "b", "Key": "k"}) == {"Bucket": "b", "Key": "k"}


@pytest.mark.parametrize(
    "name",
    [
        "Authorization",
        "X-Auth-Token",
        "Set-Cookie",
        "x-functions-key",
        "X-XSRF",
        "ConfirmationCode",
    ],
)
def test_names_of_headers_with_secrets_are_known(name):
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    ["author", "Accept", "Content-Type", "keyword", "monkey", "page", "process_id", "StatusCode"],
)
def test_other_names_are_no_secrets(name):
    assert not is_secret_name(name)


def test_a_long_line_without_a_name_is_not_searched_from_each_of_its_letters():
    line = f"token{'A' * 100}='x'"
    assert redacted_text(line) == line
    assert redacted_text(f"{'A' * 100}_token='x'") == f"{'A' * 100}_token='***'"
