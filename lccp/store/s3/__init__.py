"""`s3://`: a store in a bucket of S3 or of what speaks its protocol."""
