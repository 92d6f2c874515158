"""Replies that depend on the request: templates, functions, sequences, named states."""

from mockserver import chat, template


def ask(client, text):
    answer = client.chat.completions.create(model="m", messages=[{"role": "user", "content": text}])
    return answer.choices[0].message.content


def test_a_template(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat()).reply(template("You said {{ last }}, call {{ call }}."))
    assert ask(inferneo_client, "hello") == "You said hello, call 1."


def test_a_function(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat()).reply(lambda asked: asked.text.upper())
    assert ask(inferneo_client, "hello") == "HELLO"


def test_a_sequence_that_must_not_be_exceeded(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat()).reply("first").reply("second").after("fail")
    assert [ask(inferneo_client, "next") for _ in range(2)] == ["first", "second"]


def test_named_states(inferneo_mock, inferneo_client):
    inferneo_mock.on(chat(contains="log in", state={"user": None})).sets(user="in").reply("Welcome.")
    inferneo_mock.on(chat(state={"user": "in"})).reply("At your service.")
    assert ask(inferneo_client, "log in") == "Welcome."
    assert ask(inferneo_client, "what now?") == "At your service."
