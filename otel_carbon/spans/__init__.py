"""From the attributes of a span to one GenAI call. Pure: no SDK, no protobuf, no clock."""
