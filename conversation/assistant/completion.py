"""One chat completion, put together from the chunks in which a server streams it. Pure.

Written for servers as they are: tool calls come in pieces or whole, with ids or without, arguments as text or as an
object, content as text or in parts; `choices` may be empty or null, and usage may never come.
"""

import json
from typing import Any

import msgspec

from conversation.assistant.job import BackendError

DONE = b"[DONE]"
BUSY = "The model has too many requests. Ask again later."
FAILED = "The model's server reports that it failed."
MOST_WORDS = 300
UNREADABLE = "The model's server sent something that is no chat completion."


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: Any = None


class _CallPiece(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _Part(msgspec.Struct):
    text: str | None = None


class _Delta(msgspec.Struct):
    content: str | list[_Part] | None = None
    refusal: str | None = None
    tool_calls: list[_CallPiece] | None = None


class _Choice(msgspec.Struct):
    index: int | None = 0
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: float | None = None  # some count in 5.0
    completion_tokens: float | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


class Asked(msgspec.Struct):
    """A tool call as the model asks for it: `arguments` is JSON if the model did well."""

    id: str = ""
    name: str = ""
    arguments: str = ""


FINISH_REASONS = frozenset(("stop", "length", "tool_calls", "content_filter"))
_decoder = msgspec.json.Decoder(_Chunk)


class Completion:
    """What has come so far."""

    def __init__(self) -> None:
        self.calls: list[Asked] = []
        self.chars = 0
        """Of everything the model wrote, for an estimate of the tokens."""
        self.usage: tuple[int, int] | None = None
        """Tokens of the input and of the output, if the server says so."""
        self.is_done = False
        """Whether the server said that this was all."""
        self.finish_reason: str | None = None
        """stop, length, tool_calls, content_filter or other; None while none came."""
        self._by_index: dict[int, Asked] = {}
        self._half = ""
        self._text: list[str] = []

    @property
    def text(self) -> str:
        """All that was said."""
        return "".join(self._text)

    def read(self, events: list[bytes]) -> str:
        """Takes the data of some events and returns the text that they add.

        Raises BackendError: "bad_response" for what is no chunk, "model_error" where the server reports its failure.
        """
        text = "".join([self._read(event) for event in events])
        if text:
            self._text.append(text)
        return text

    def _read(self, event: bytes) -> str:
        if event == DONE:
            self.is_done = True
            return ""
        chunk, is_odd = _decode(event)
        if chunk.error:
            raise _reported(chunk.error)
        if chunk.usage is not None:
            given, made = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
            self.usage = (int(given or 0), int(made or 0))
        text = ""
        for choice in chunk.choices or ():
            if not choice.index:
                text += self._choose(choice)
        return self._whole(text) if is_odd or self._half else text

    def _choose(self, choice: _Choice) -> str:
        if choice.finish_reason:
            self._finish(choice.finish_reason)
        delta = choice.delta or choice.message
        if delta is None:
            return ""
        for piece in delta.tool_calls or ():
            self._add(piece)
        text = _text(delta.content) or delta.refusal or ""
        self.chars += len(text)
        return text.replace("\x00", "\ufffd") if "\x00" in text else text

    def _finish(self, reason: str) -> None:
        if reason == "function_call":
            reason = "tool_calls"
        self.finish_reason = reason if reason in FINISH_REASONS else "other"
        self.is_done = True

    def _add(self, piece: _CallPiece) -> None:
        call = self._call_of(piece)
        call.id = piece.id or call.id
        name = _name(piece)
        if name != call.name:  # some repeat the name in every piece
            call.name += name
        arguments = None if piece.function is None else piece.function.arguments
        if arguments is not None and not isinstance(arguments, str):
            arguments = json.dumps(arguments)
        if arguments:
            call.arguments += arguments
            self.chars += len(arguments)

    def _call_of(self, piece: _CallPiece) -> Asked:
        index = self._index_of(piece) if piece.index is None else piece.index
        call = self._by_index.get(index)
        if call is None or _is_another(call, piece):
            call = self._by_index[index] = Asked()
            self.calls.append(call)
        return call

    def _index_of(self, piece: _CallPiece) -> int:
        """Without an index, an id of its own or a name begins a call; the rest belongs to the last one."""
        for index, call in self._by_index.items():
            if piece.id and call.id == piece.id:
                return index
        if piece.id or _name(piece) or not self._by_index:
            return max(self._by_index, default=-1) + 1
        return max(self._by_index)

    def _whole(self, text: str) -> str:
        """Joins the halves of a character that was cut into two chunks; a half that stays alone is marked."""
        text = self._half + text
        self._half = ""
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._half = text[-1]
            text = text[:-1]
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _reported(error: Any) -> BackendError:
    """A failure that comes as an event, with whatever status the answer began."""
    code = error.get("code") if isinstance(error, dict) else None
    words = words_of(error)
    if str(code) in ("429", "rate_limit_exceeded"):
        return BackendError("rate_limited", f"{BUSY} {words}".strip())
    return BackendError("model_error", f"{FAILED} {words}".strip())


def words_of(error: Any) -> str:
    """What a server says about its failure, in one short line; empty when it says nothing."""
    while isinstance(error, dict):
        error = error.get("error") or error.get("message") or error.get("detail")
    words = " ".join(error.split()) if isinstance(error, str) else ""
    return words if len(words) <= MOST_WORDS else words[: MOST_WORDS - 1] + "…"


def _name(piece: _CallPiece) -> str:
    return (piece.function.name or "") if piece.function is not None else ""


def _is_another(call: Asked, piece: _CallPiece) -> bool:
    """Some servers count every call as number 0."""
    return bool(piece.id and call.id and piece.id != call.id and _name(piece))


def _text(content: str | list[_Part] | None) -> str:
    if isinstance(content, list):
        return "".join(part.text or "" for part in content)
    return content or ""


def _decode(event: bytes) -> tuple[_Chunk, bool]:
    """The chunk, and whether it holds half a character."""
    try:
        return _decoder.decode(event), False
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:  # half a surrogate pair is JSON for Python's own decoder only
        return msgspec.convert(json.loads(event), _Chunk), True
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors
        raise BackendError("bad_response", UNREADABLE) from None
