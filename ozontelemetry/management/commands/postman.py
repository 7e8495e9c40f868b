"""The API as a Postman collection, on the standard output."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from drf_spectacular.generators import SchemaGenerator

from ozontelemetry.openapi.postman import collection


class Command(BaseCommand):
    help = "Write the API as a Postman collection (2.1) to the standard output."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--base-url", default="http://localhost:8000", help="Where the server is.")

    def handle(self, *args: Any, **options: Any) -> None:
        generator: Any = SchemaGenerator
        schema = generator().get_schema(request=None, public=True)
        found = collection(schema, base_url=options["base_url"].rstrip("/"))
        self.stdout.write(json.dumps(found, indent=2, ensure_ascii=False))
