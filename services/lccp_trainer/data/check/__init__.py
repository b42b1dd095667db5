"""What is to be known of the documents of a run before it is paid for."""
