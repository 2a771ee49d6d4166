"""Pure tensor geometry. Each module states its conventions, and a test pins every one of them."""
