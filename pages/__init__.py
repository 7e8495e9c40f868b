"""What people see: server-rendered pages, their look, and the forms on them."""
