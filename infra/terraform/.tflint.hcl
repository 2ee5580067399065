# tflint --chdir infra/terraform --recursive
# The rules that are built into tflint; those of the provider are downloaded, and are
# not asked for here.
plugin "terraform" {
  enabled = true
  preset  = "recommended"
}
