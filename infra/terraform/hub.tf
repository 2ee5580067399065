# The way in for events.

resource "azurerm_eventhub_namespace" "main" {
  name                         = "evhns-${var.name}-${local.suffix}"
  resource_group_name          = azurerm_resource_group.main.name
  location                     = var.location
  sku                          = "Standard"
  capacity                     = 1
  auto_inflate_enabled         = true
  maximum_throughput_units     = 4
  minimum_tls_version          = "1.2"
  local_authentication_enabled = var.streams == "hub" # Azure Monitor streams with an access rule and nothing else
  tags                         = var.tags

  dynamic "identity" {
    for_each = var.capture ? [1] : []
    content {
      type         = "UserAssigned"
      identity_ids = [azurerm_user_assigned_identity.alerts.id]
    }
  }

  # Denied to the internet; Azure Monitor comes in as a trusted service.
  network_rulesets = [{
    default_action                 = var.private_network ? "Deny" : "Allow"
    public_network_access_enabled  = true
    trusted_service_access_enabled = true
    ip_rule                        = []
    virtual_network_rule           = []
  }]
}

resource "azurerm_eventhub" "main" {
  name              = "circuit-events"
  namespace_id      = azurerm_eventhub_namespace.main.id
  partition_count   = 4
  message_retention = 7

  lifecycle {
    ignore_changes = [capture_description] # set below: azurerm captures with a key only
  }
}

resource "azapi_update_resource" "capture" {
  count       = var.capture ? 1 : 0
  type        = "Microsoft.EventHub/namespaces/eventhubs@2024-01-01"
  resource_id = azurerm_eventhub.main.id

  body = {
    properties = {
      captureDescription = {
        enabled           = true
        encoding          = "Avro"
        intervalInSeconds = 300
        sizeLimitInBytes  = 104857600
        skipEmptyArchives = true
        destination = {
          name     = "EventHubArchive.AzureBlockBlob"
          identity = { type = "UserAssigned", userAssignedIdentity = azurerm_user_assigned_identity.alerts.id }
          properties = {
            storageAccountResourceId = azurerm_storage_account.main.id
            blobContainer            = "circuit-events"
            archiveNameFormat        = "{Namespace}/{EventHub}/{PartitionId}/{Year}/{Month}/{Day}/{Hour}/{Minute}/{Second}"
          }
        }
      }
    }
  }

  depends_on = [azurerm_role_assignment.capture]
}

resource "azurerm_eventhub_consumer_group" "main" {
  name                = "erfailover"
  namespace_name      = azurerm_eventhub_namespace.main.name
  eventhub_name       = azurerm_eventhub.main.name
  resource_group_name = azurerm_resource_group.main.name
}

resource "azurerm_eventhub_namespace_authorization_rule" "monitor" {
  count               = var.streams == "hub" ? 1 : 0
  name                = "azure-monitor"
  namespace_name      = azurerm_eventhub_namespace.main.name
  resource_group_name = azurerm_resource_group.main.name
  listen              = true
  send                = true
  manage              = true
}

resource "azurerm_role_assignment" "receive" {
  scope                = azurerm_eventhub.main.id
  role_definition_name = "Azure Event Hubs Data Receiver"
  principal_id         = azurerm_user_assigned_identity.app.principal_id
  principal_type       = "ServicePrincipal"
}

resource "azurerm_role_assignment" "send" {
  scope                = azurerm_eventhub.main.id
  role_definition_name = "Azure Event Hubs Data Sender"
  principal_id         = azurerm_user_assigned_identity.alerts.principal_id
  principal_type       = "ServicePrincipal"
}

# Global, because Service Health alerts take no other.
resource "azapi_resource" "events" {
  type      = "Microsoft.Insights/actionGroups@2026-09-01"
  name      = "ag-${var.name}-events"
  parent_id = azurerm_resource_group.main.id
  location  = "Global"
  tags      = var.tags

  # The version is newer than the schemas that older releases of azapi carry.
  schema_validation_enabled = false

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.alerts.id]
  }

  body = {
    properties = {
      groupShortName = "erfailover"
      enabled        = true
      eventHubReceivers = [{
        name                 = "hub"
        subscriptionId       = var.subscription_id
        tenantId             = data.azurerm_client_config.here.tenant_id
        eventHubNameSpace    = azurerm_eventhub_namespace.main.name
        eventHubName         = azurerm_eventhub.main.name
        useCommonAlertSchema = true
        managedIdentity      = azurerm_user_assigned_identity.alerts.principal_id
      }]
    }
  }

  depends_on = [azurerm_role_assignment.send]
}
