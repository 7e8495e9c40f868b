"""The OpenAPI, its examples, and the Postman collection."""
