terraform {
  required_version = ">= 1.11" # use_lockfile

  # No profile, no key: whoever runs Terraform says who they are, with AWS_PROFILE
  # or with mfad exec, and the backend and every provider hear the same.
  backend "s3" {
    bucket              = "tfstate"
    key                 = "shop/terraform.tfstate"
    region              = "us-east-1"
    use_lockfile        = true
    allowed_account_ids = ["222222222222"] # the wrong AWS_PROFILE ends here
  }
}
