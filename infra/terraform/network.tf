locals {
  zones = var.private_network ? {
    blob      = "privatelink.blob.core.windows.net"
    queue     = "privatelink.queue.core.windows.net"
    table     = "privatelink.table.core.windows.net"
    namespace = "privatelink.servicebus.windows.net"
  } : {}
}

resource "azurerm_virtual_network" "main" {
  count               = var.private_network ? 1 : 0
  name                = "vnet-${var.name}"
  resource_group_name = azurerm_resource_group.main.name
  location            = var.location
  address_space       = [var.address_prefix]
  tags                = var.tags
}

resource "azurerm_subnet" "app" {
  count                = var.private_network ? 1 : 0
  name                 = "app"
  resource_group_name  = azurerm_resource_group.main.name
  virtual_network_name = azurerm_virtual_network.main[0].name
  address_prefixes     = [cidrsubnet(var.address_prefix, 1, 0)]

  delegation {
    name = "app"
    service_delegation {
      name = "Microsoft.App/environments"
    }
  }
}

resource "azurerm_subnet" "endpoints" {
  count                = var.private_network ? 1 : 0
  name                 = "endpoints"
  resource_group_name  = azurerm_resource_group.main.name
  virtual_network_name = azurerm_virtual_network.main[0].name
  address_prefixes     = [cidrsubnet(var.address_prefix, 1, 1)]
}

resource "azurerm_private_dns_zone" "main" {
  for_each            = local.zones
  name                = each.value
  resource_group_name = azurerm_resource_group.main.name
  tags                = var.tags
}

resource "azurerm_private_dns_zone_virtual_network_link" "main" {
  for_each              = local.zones
  name                  = "link-${var.name}"
  resource_group_name   = azurerm_resource_group.main.name
  private_dns_zone_name = azurerm_private_dns_zone.main[each.key].name
  virtual_network_id    = azurerm_virtual_network.main[0].id
  tags                  = var.tags
}

resource "azurerm_private_endpoint" "main" {
  for_each            = local.zones
  name                = "pe-${var.name}-${each.key}"
  resource_group_name = azurerm_resource_group.main.name
  location            = var.location
  subnet_id           = azurerm_subnet.endpoints[0].id
  tags                = var.tags

  private_service_connection {
    name                           = each.key
    private_connection_resource_id = each.key == "namespace" ? azurerm_eventhub_namespace.main.id : azurerm_storage_account.main.id
    subresource_names              = [each.key]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = [azurerm_private_dns_zone.main[each.key].id]
  }
}

# The other deployment's network cannot be reached from here; its account can.
resource "azurerm_private_endpoint" "record" {
  count               = var.private_network && var.record_account_id != "" ? 1 : 0
  name                = "pe-${var.name}-record-blob"
  resource_group_name = azurerm_resource_group.main.name
  location            = var.location
  subnet_id           = azurerm_subnet.endpoints[0].id
  tags                = var.tags

  private_service_connection {
    name                           = "blob"
    private_connection_resource_id = var.record_account_id
    subresource_names              = ["blob"]
    is_manual_connection           = false
  }

  private_dns_zone_group {
    name                 = "default"
    private_dns_zone_ids = [azurerm_private_dns_zone.main["blob"].id]
  }
}
