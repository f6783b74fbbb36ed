"""What the interoperation tests share."""
