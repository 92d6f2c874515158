"""LangChain, over OpenAI's SDK: the same environment."""

from langchain_openai import ChatOpenAI

from mockserver import chat


def test_langchain(inferneo_mock, openai_env):
    inferneo_mock.on(chat(contains="report")).reply("Done.")
    assert ChatOpenAI(model="m").invoke("the report, please").content == "Done."
