terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

provider "aws" {
  region              = "us-east-1"
  allowed_account_ids = ["222222222222"]
}

# A process of its own, which assumes a role in another account, and again before
# that ends. AWS gives an hour at most: the profile is a role already.
provider "aws" {
  alias  = "audit"
  region = "eu-central-1"
  assume_role {
    role_arn     = "arn:aws:iam::333333333333:role/Audit"
    session_name = "shop"
    duration     = "1h" # without it 15 minutes
  }
}

variable "migration" {
  description = "A command that takes its time."
  default     = "true"
}

resource "aws_ssm_parameter" "version" {
  name  = "/shop/${terraform.workspace}/version"
  type  = "String"
  value = "7"
}

resource "aws_ssm_parameter" "begun" {
  provider = aws.audit
  name     = "/audit/shop/${terraform.workspace}/begun"
  type     = "String"
  value    = aws_ssm_parameter.version.value
}

resource "terraform_data" "migration" {
  depends_on       = [aws_ssm_parameter.begun]
  triggers_replace = [aws_ssm_parameter.version.version]
  provisioner "local-exec" {
    command = var.migration
  }
}

resource "aws_ssm_parameter" "released" {
  depends_on = [terraform_data.migration]
  name       = "/shop/${terraform.workspace}/released"
  type       = "String"
  value      = aws_ssm_parameter.version.value
}

resource "aws_ssm_parameter" "done" {
  provider   = aws.audit
  depends_on = [terraform_data.migration]
  name       = "/audit/shop/${terraform.workspace}/done"
  type       = "String"
  value      = aws_ssm_parameter.version.value
}
