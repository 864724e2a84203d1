"""An OpenAI-compatible server."""

from __future__ import annotations

import os
import time

from .answers import Completion, Messages, ModelError, Progress


class Endpoint:
    """An OpenAI-compatible server; made by `load`.

    Parameters
    ----------
    endpoint : str
        Base URL, ending in ``/v1``.
    model : str
        The model's name there; there is no default, names expire.
    key_env : str
        Environment variable that holds the key; a server on loopback needs none.
    concurrency : int
        Requests at a time.
    timeout : float
        Seconds before a request counts as failed.
    """

    def __init__(
        self,
        endpoint: str,
        model: str,
        key_env: str = "OPENAI_API_KEY",
        concurrency: int = 4,
        timeout: float = 120.0,
    ) -> None:
        from openai import OpenAI

        self.name, self.concurrency = model, concurrency
        key = os.environ.get(key_env) or "none"
        self._client = OpenAI(base_url=endpoint, api_key=key, timeout=timeout)

    def generate(
        self,
        messages: list[Messages],
        max_new_tokens: int = 256,
        *,
        progress: Progress | None = None,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> list[Completion]:
        """Answer every conversation; see `Model.generate`. The seed is left to the server.

        Raises
        ------
        ModelError
            If the server refuses or cannot be reached after the client's own retries.
        """
        from concurrent.futures import ThreadPoolExecutor

        with ThreadPoolExecutor(self.concurrency) as pool:
            answers = []
            for answer in pool.map(lambda m: self._one(m, max_new_tokens, temperature), messages):
                answers.append(answer)
                if progress:
                    progress(len(answers), len(messages), "answers")
        return answers

    def _one(self, messages: Messages, limit: int, temperature: float) -> Completion:
        from openai import OpenAIError

        begun = time.perf_counter()
        try:
            reply = self._client.chat.completions.create(
                model=self.name,
                messages=messages,
                max_tokens=limit,
                temperature=temperature,
            )
        except OpenAIError as error:
            raise ModelError(
                f"the endpoint did not answer for model '{self.name}' "
                f"({type(error).__name__}: {str(error)[:200]}): check its URL, key and model name."
            ) from None
        seconds = time.perf_counter() - begun
        choice, usage = reply.choices[0], reply.usage
        return Completion(
            text=(choice.message.content or "").strip(),
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
            seconds=seconds,
            stopped=choice.finish_reason == "stop",
            latency=seconds,
        )
