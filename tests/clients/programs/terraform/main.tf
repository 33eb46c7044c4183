# Every resource of the AWS provider that Moorage serves, each with what it can hold. "changed" is its second form.

variable "changed" {
  type    = bool
  default = false
}

provider "aws" {
  default_tags {
    tags = { made-by = "terraform" }
  }
}

# --- ECR ---

data "aws_caller_identity" "me" {}

data "aws_ecr_authorization_token" "own" {}

resource "aws_ecr_repository" "app" {
  name                 = "tf/app"
  image_tag_mutability = var.changed ? "MUTABLE" : "IMMUTABLE"

  image_scanning_configuration {
    scan_on_push = !var.changed
  }

  tags = var.changed ? { team = "blue" } : { team = "red", stage = "test" }
}

resource "aws_ecr_repository" "releases" {
  name                 = "tf/releases"
  image_tag_mutability = "IMMUTABLE_WITH_EXCLUSION"

  image_tag_mutability_exclusion_filter {
    filter      = var.changed ? "dev-*" : "latest*"
    filter_type = "WILDCARD"
  }

  encryption_configuration {
    encryption_type = "AES256"
  }
}

# Destroyed with the images that it holds then.
resource "aws_ecr_repository" "scratch" {
  name         = "tf/scratch"
  force_delete = true
}

data "aws_ecr_repository" "app" {
  name = aws_ecr_repository.app.name
}

data "aws_ecr_repositories" "all" {
  depends_on = [aws_ecr_repository.app, aws_ecr_repository.releases, aws_ecr_repository.scratch]
}

data "aws_iam_policy_document" "pull" {
  statement {
    sid     = "new policy"
    actions = concat(["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"], var.changed ? ["ecr:ListImages"] : [])

    principals {
      type        = "AWS"
      identifiers = [aws_iam_role.ci.arn, aws_iam_user.bob.arn, "444455556666"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_ecr_repository_policy" "app" {
  repository = aws_ecr_repository.app.name
  policy     = data.aws_iam_policy_document.pull.json
}

resource "aws_ecr_registry_policy" "own" {
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "testpolicy"
      Effect    = "Allow"
      Principal = { AWS = "arn:aws:iam::444455556666:root" }
      Action    = var.changed ? ["ecr:ReplicateImage", "ecr:CreateRepository"] : ["ecr:ReplicateImage"]
      Resource  = ["arn:aws:ecr:us-east-1:${data.aws_caller_identity.me.account_id}:repository/*"]
    }]
  })
}

resource "aws_ecr_account_setting" "mounting" {
  name  = "BLOB_MOUNTING"
  value = var.changed ? "DISABLED" : "ENABLED"
}

# --- IAM ---

resource "aws_iam_account_alias" "own" {
  account_alias = var.changed ? "tf-harbour" : "tf-quay"
}

resource "aws_iam_user" "ann" {
  name = "tf-ann"
  path = var.changed ? "/people/" : "/"
  tags = { Team = var.changed ? "blue" : "red" }
}

# Destroyed with what somebody else has given it.
resource "aws_iam_user" "bob" {
  name          = "tf-bob"
  force_destroy = true
}

resource "aws_iam_access_key" "ann" {
  user   = aws_iam_user.ann.name
  status = var.changed ? "Inactive" : "Active"
}

resource "aws_iam_group" "people" {
  name = "tf-people"
  path = "/people/"
}

resource "aws_iam_group_membership" "people" {
  name  = "tf-people"
  group = aws_iam_group.people.name
  users = [aws_iam_user.ann.name]
}

resource "aws_iam_user_group_membership" "ann" {
  user   = aws_iam_user.ann.name
  groups = [aws_iam_group.people.name]
}

resource "aws_iam_role" "ci" {
  name                 = "tf-ci"
  description          = var.changed ? "Builds and deploys." : "Builds."
  max_session_duration = var.changed ? 7200 : 3600
  permissions_boundary = aws_iam_policy.push.arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = var.changed ? { AWS = aws_iam_user.bob.arn } : { Service = "ecs-tasks.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })

  tags = { Team = "red" }
}

resource "aws_iam_policy" "push" {
  name        = "tf-push"
  path        = "/ci/"
  description = "Pushes."

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = var.changed ? ["ecr:*"] : ["ecr:PutImage", "ecr:InitiateLayerUpload"]
      Resource = aws_ecr_repository.app.arn
    }]
  })
}

resource "aws_iam_user_policy_attachment" "ann" {
  user       = aws_iam_user.ann.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryReadOnly"
}

resource "aws_iam_role_policy_attachment" "ci" {
  role       = aws_iam_role.ci.name
  policy_arn = var.changed ? "arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPowerUser" : aws_iam_policy.push.arn
}

resource "aws_iam_group_policy_attachment" "people" {
  group      = aws_iam_group.people.name
  policy_arn = aws_iam_policy.push.arn
}

data "aws_iam_policy_document" "login" {
  statement {
    actions   = ["ecr:GetAuthorizationToken"]
    resources = ["*"]
  }
}

resource "aws_iam_user_policy" "ann" {
  name   = "login"
  user   = aws_iam_user.ann.name
  policy = data.aws_iam_policy_document.login.json
}

resource "aws_iam_role_policy" "ci" {
  name   = "login"
  role   = aws_iam_role.ci.id
  policy = data.aws_iam_policy_document.login.json
}

resource "aws_iam_group_policy" "people" {
  name   = "login"
  group  = aws_iam_group.people.name
  policy = data.aws_iam_policy_document.login.json
}

data "aws_iam_user" "ann" {
  user_name = aws_iam_user.ann.name
}

data "aws_iam_role" "ci" {
  name = aws_iam_role.ci.name
}

data "aws_iam_policy" "managed" {
  name = "AmazonEC2ContainerRegistryFullAccess"
}

data "aws_iam_session_context" "me" {
  arn = data.aws_caller_identity.me.arn
}

data "aws_iam_principal_policy_simulation" "ann" {
  action_names      = ["ecr:DescribeImages"]
  resource_arns     = [aws_ecr_repository.app.arn]
  policy_source_arn = aws_iam_user.ann.arn
  depends_on        = [aws_iam_user_policy_attachment.ann]
}

output "seen" {
  value = {
    account      = data.aws_caller_identity.me.account_id
    repositories = data.aws_ecr_repositories.all.names
    url          = data.aws_ecr_repository.app.repository_url
    user         = data.aws_iam_user.ann.arn
    allowed      = data.aws_iam_principal_policy_simulation.ann.all_allowed
    login        = data.aws_ecr_authorization_token.own.user_name
    endpoint     = data.aws_ecr_authorization_token.own.proxy_endpoint
    managed      = data.aws_iam_policy.managed.arn
  }
}

output "key" {
  value     = { id = aws_iam_access_key.ann.id, secret = aws_iam_access_key.ann.secret }
  sensitive = true
}
