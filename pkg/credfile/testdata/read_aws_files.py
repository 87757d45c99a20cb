"""Reads a JSON list of paths, prints what botocore reads of each as JSON: the
sections as a map, or null where it refuses the whole file."""
import json
import sys

from botocore.configloader import raw_config_parse
from botocore.exceptions import ConfigParseError


def read(path):
    try:
        return raw_config_parse(path)
    except ConfigParseError:
        return None


json.dump({p: read(p) for p in json.load(sys.stdin)}, sys.stdout)
