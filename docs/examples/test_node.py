"""Node, without a package: another process talks to the session of the test."""

import subprocess

from mockserver import chat

SCRIPT = """
const [base] = process.argv.slice(1);
const body = JSON.stringify({model: "m", stream: true, messages: [{role: "user", content: "the report, please"}]});
const headers = {"content-type": "application/json"};
const answer = await fetch(`${base}/v1/chat/completions`, {method: "POST", headers, body});
const lines = (await answer.text()).split("\\n").filter((line) => line.startsWith("data: {"));
const words = lines.map((line) => JSON.parse(line.slice(6)).choices[0]?.delta.content ?? "");
console.log(words.join(""));
"""


def test_node(inferneo_mock, inferneo_url):
    inferneo_mock.on(chat(contains="report", stream=True)).reply("Done, with care.")
    command = ["node", "--input-type=module", "--eval", SCRIPT, inferneo_url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout == "Done, with care.\n"
