# The pact between Terraform and erfailover, and a small estate to show it.
#
# erfailover moves the routing weight of connections and marks them with a tag. To
# Terraform that is drift, and the next apply would put the weight back: it would move
# the traffic onto the circuit that just failed. So each connection that erfailover may
# write says
#
#   lifecycle { ignore_changes = [routing_weight, tags["erfailover-epoch"]] }
#
# Then the weight in Terraform is the weight at rest of a new connection, no more. To
# change the weights at rest of a running estate, change the baseline in erfailover's
# configuration. Never delete and re-create a connection during a failover.

terraform {
  required_version = ">= 1.9"

  required_providers {
    azurerm = {
      source  = "hashicorp/azurerm"
      version = "~> 4.40"
    }
  }
}

variable "subscription_id" {
  type        = string
  description = "Subscription of the estate."
}

variable "location" {
  type        = string
  description = "Azure region of circuits and gateway."
  default     = "eastus"
}

variable "provisioned" {
  type        = bool
  description = "true once both providers have provisioned their side; then peerings and connections are made."
  default     = false
}

variable "circuits" {
  type = map(object({
    provider  = string
    location  = string
    mbps      = number
    asn       = number
    primary   = string
    secondary = string
    vlan      = number
    weight    = number
  }))
  description = "Different providers and different peering locations: circuits that share either share its fate."
  default = {
    ashburn = { provider = "Equinix", location = "Washington DC", mbps = 50, asn = 65010, primary = "172.16.10.0/30", secondary = "172.16.10.4/30", vlan = 110, weight = 200 }
    chicago = { provider = "Megaport", location = "Chicago", mbps = 50, asn = 65010, primary = "172.16.20.0/30", secondary = "172.16.20.4/30", vlan = 120, weight = 100 }
  }
}

provider "azurerm" {
  subscription_id = var.subscription_id
  features {}
}

resource "azurerm_resource_group" "net" {
  name     = "net-try"
  location = var.location
}

resource "azurerm_express_route_circuit" "main" {
  for_each              = var.circuits
  name                  = "er-try-${each.key}"
  resource_group_name   = azurerm_resource_group.net.name
  location              = var.location
  service_provider_name = each.value.provider
  peering_location      = each.value.location
  bandwidth_in_mbps     = each.value.mbps

  sku {
    tier   = "Standard"
    family = "MeteredData"
  }
}

resource "azurerm_express_route_circuit_peering" "private" {
  for_each                      = var.provisioned ? var.circuits : {}
  express_route_circuit_name    = azurerm_express_route_circuit.main[each.key].name
  resource_group_name           = azurerm_resource_group.net.name
  peering_type                  = "AzurePrivatePeering"
  peer_asn                      = each.value.asn
  primary_peer_address_prefix   = each.value.primary
  secondary_peer_address_prefix = each.value.secondary
  vlan_id                       = each.value.vlan
}

resource "azurerm_virtual_network" "main" {
  name                = "vnet-try"
  resource_group_name = azurerm_resource_group.net.name
  location            = var.location
  address_space       = ["10.60.0.0/22"]
}

resource "azurerm_subnet" "gateway" {
  name                 = "GatewaySubnet"
  resource_group_name  = azurerm_resource_group.net.name
  virtual_network_name = azurerm_virtual_network.main.name
  address_prefixes     = ["10.60.0.0/26"]
}

resource "azurerm_public_ip" "gateway" {
  name                = "pip-try-gw"
  resource_group_name = azurerm_resource_group.net.name
  location            = var.location
  sku                 = "Standard"
  allocation_method   = "Static"
  zones               = ["1", "2", "3"]
}

resource "azurerm_virtual_network_gateway" "main" {
  name                = "gw-try"
  resource_group_name = azurerm_resource_group.net.name
  location            = var.location
  type                = "ExpressRoute"
  sku                 = "ErGw1AZ"

  ip_configuration {
    name                 = "default"
    subnet_id            = azurerm_subnet.gateway.id
    public_ip_address_id = azurerm_public_ip.gateway.id
  }
}

resource "azurerm_virtual_network_gateway_connection" "main" {
  for_each                   = var.provisioned ? var.circuits : {}
  name                       = "cn-try-${each.key}"
  resource_group_name        = azurerm_resource_group.net.name
  location                   = var.location
  type                       = "ExpressRoute"
  virtual_network_gateway_id = azurerm_virtual_network_gateway.main.id
  express_route_circuit_id   = azurerm_express_route_circuit.main[each.key].id
  routing_weight             = each.value.weight
  depends_on                 = [azurerm_express_route_circuit_peering.private]

  lifecycle {
    ignore_changes = [routing_weight, tags["erfailover-epoch"]]
  }
}
