# What erfailover runs on. What feeds it is in alerts.tf, what it may do in roles.tf.

locals {
  suffix           = substr(sha256("${var.subscription_id}/${var.name}/${var.location}"), 0, 6)
  rule_prefix      = "${var.name}-${var.location}"
  watched          = concat(var.circuits[*].id, var.gateways[*].id, var.connection_ids, var.wan_gateways[*].id, var.wan_gateways[*].hub_id, var.port_ids)
  subscription_ids = distinct(concat([var.subscription_id], [for id in local.watched : split("/", id)[2]]))
}

data "azurerm_client_config" "here" {}

resource "azurerm_resource_group" "main" {
  name     = "rg-${var.name}-${var.location}"
  location = var.location
  tags     = var.tags
}

resource "azurerm_user_assigned_identity" "app" {
  name                = "id-${var.name}-app"
  resource_group_name = azurerm_resource_group.main.name
  location            = var.location
  tags                = var.tags
}

# What sends alerts cannot touch the network.
resource "azurerm_user_assigned_identity" "alerts" {
  name                = "id-${var.name}-alerts"
  resource_group_name = azurerm_resource_group.main.name
  location            = var.location
  tags                = var.tags
}
