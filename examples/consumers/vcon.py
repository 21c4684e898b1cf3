"""Folds the events of each conversation into one vCon (draft-ietf-vcon-vcon-core-04): a line of JSON for each.

    hookgate tail --all -n 100 -o json | python3 vcon.py

A vCon is a container for a whole conversation, an event is a fragment of one: collect what has the same source and id, in any
order, and fold it when no more is to come. A file behind a URL needs its content_hash, which whoever downloads it adds.
"""

import json
import sys
import uuid

# Members of an analysis that are one each, beside the transcript.
ANALYSES = ("summary", "actionItems", "sentiment", "outcome", "score", "topics", "data")


def party(participant):
    names = {"name": "name", "phoneNumber": "tel", "email": "mailto", "role": "role"}
    made = {ours: participant[theirs] for theirs, ours in names.items() if theirs in participant}
    if "tel" in made:
        made["tel"] = "tel:" + made["tel"].replace(" ", "")
    if "mailto" in made:
        made["mailto"] = "mailto:" + made["mailto"]
    return made


def place(parties, made):
    """Where somebody stands among the parties: each of them once, with all that any event says of them."""
    for at, known in enumerate(parties):
        if known == made or any(key in made and known.get(key) == made[key] for key in ("tel", "mailto")):
            parties[at] = known | made
            return at
    parties.append(made)
    return len(parties) - 1


def add(made, item):
    if item not in made:
        made.append(item)


def fold(source, events):
    first = next((data for _, data in events if "startedAt" in data), events[0][1])
    times = sorted(headers["ce-time"] for headers, _ in events if "ce-time" in headers)
    vcon = {
        "vcon": "0.4.0",
        # The same conversation is the same vCon, whoever folds it.
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{source}#{first.get('id', '')}")),
        "created_at": times[-1] if times else "1970-01-01T00:00:00Z",
        "parties": [],
        "dialog": [],
        "analysis": [],
        "attachments": [],
    }
    originator = None
    for headers, data in events:
        if "title" in data:
            vcon["subject"] = data["title"]
        people = [(person, place(vcon["parties"], party(person))) for person in data.get("participants", [])]
        originator = next((at for person, at in people if person.get("role") == "caller"), originator)
        files = data.get("recordings") or [data[one] for one in ("recording",) if one in data]
        for file in files:
            dialog = {"type": "recording", "start": file.get("startedAt", first.get("startedAt", vcon["created_at"]))}
            known = {"uri": "url", "durationSeconds": "duration", "mediaType": "mediatype"}
            dialog |= {ours: file[theirs] for theirs, ours in known.items() if theirs in file}
            if "url" in dialog:
                add(vcon["dialog"], dialog)
        vendor = headers.get("ce-type", "").split(".")[0]
        transcript = data.get("transcript", {})
        if "segments" in transcript or "text" in transcript:
            body = transcript.get("segments", transcript.get("text"))
            encoding = "none" if isinstance(body, str) else "json"
            add(vcon["analysis"], {"type": "transcript", "vendor": vendor, "encoding": encoding, "body": body})
        for name in ANALYSES:
            if name in data.get("analysis", {}):
                body = data["analysis"][name]
                encoding = "none" if isinstance(body, str) else "json"
                add(vcon["analysis"], {"type": name, "vendor": vendor, "encoding": encoding, "body": body})
        # What has no place of its own stays with the event that said it.
        attachment = {"purpose": headers.get("ce-type", "event"), "encoding": "json", "body": data}
        add(vcon["attachments"], attachment)
    for dialog in vcon["dialog"]:
        dialog["parties"] = list(range(len(vcon["parties"])))
        if originator is not None:
            dialog["originator"] = originator
    for analysis in vcon["analysis"] if vcon["dialog"] else []:
        analysis["dialog"] = list(range(len(vcon["dialog"])))
    return {name: value for name, value in vcon.items() if value != []}


def main():
    conversations = {}
    for line in sys.stdin:
        event = json.loads(line)
        data, headers = event["data"], event["headers"]
        if isinstance(data, dict) and "kind" in data and "id" in data:
            conversations.setdefault((headers.get("ce-source", ""), data["id"]), []).append((headers, data))
    for (source, _), events in conversations.items():
        print(json.dumps(fold(source, events)))


main()
