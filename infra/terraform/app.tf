# The function app: Flex Consumption, Linux, custom handler.

locals {
  # FUNCTIONS_WORKER_RUNTIME is set by functionAppConfig.runtime and must not be set here.
  settings = {
    FUNCTIONS_EXTENSION_VERSION                 = "~4"
    AzureWebJobsStorage__accountName            = azurerm_storage_account.main.name
    AzureWebJobsStorage__credential             = "managedidentity"
    AzureWebJobsStorage__clientId               = azurerm_user_assigned_identity.app.client_id
    AzureWebJobsDisableHomepage                 = "true"
    EventHubConnection__fullyQualifiedNamespace = "${azurerm_eventhub_namespace.main.name}.servicebus.windows.net"
    EventHubConnection__credential              = "managedidentity"
    EventHubConnection__clientId                = azurerm_user_assigned_identity.app.client_id
    EVENTHUB_NAME                               = azurerm_eventhub.main.name
    EVENTHUB_CONSUMER_GROUP                     = azurerm_eventhub_consumer_group.main.name
    ERFAILOVER_CONFIG                           = "erfailover.yaml"
    TEAMS_WEBHOOK_URL                           = var.teams_webhook_secret_uri == "" ? "" : "@Microsoft.KeyVault(SecretUri=${var.teams_webhook_secret_uri})"
    PAGERDUTY_KEY                               = var.pagerduty_secret_uri == "" ? "" : "@Microsoft.KeyVault(SecretUri=${var.pagerduty_secret_uri})"
    ERFAILOVER_LINK_KEY                         = var.link_key_secret_uri == "" ? "" : "@Microsoft.KeyVault(SecretUri=${var.link_key_secret_uri})"
    ERFAILOVER_WEBHOOK_KEY                      = var.webhook_key_secret_uri == "" ? "" : "@Microsoft.KeyVault(SecretUri=${var.webhook_key_secret_uri})"
    ERFAILOVER_NOTIFY_ALLOW                     = var.notify_allow
    OTEL_EXPORTER_OTLP_ENDPOINT                 = var.otlp_endpoint
    APPLICATIONINSIGHTS_CONNECTION_STRING       = azurerm_application_insights.main.connection_string
    APPLICATIONINSIGHTS_AUTHENTICATION_STRING   = "ClientId=${azurerm_user_assigned_identity.app.client_id};Authorization=AAD"
  }
}

resource "azurerm_service_plan" "main" {
  name                = "plan-${var.name}"
  resource_group_name = azurerm_resource_group.main.name
  location            = var.location
  os_type             = "Linux"
  sku_name            = "FC1"
  tags                = var.tags
}

resource "azapi_resource" "app" {
  type      = "Microsoft.Web/sites@2024-04-01"
  name      = "func-${var.name}-${local.suffix}"
  parent_id = azurerm_resource_group.main.id
  location  = var.location
  tags      = var.tags

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.app.id]
  }

  body = {
    kind = "functionapp,linux"
    properties = {
      serverFarmId              = azurerm_service_plan.main.id
      httpsOnly                 = true
      publicNetworkAccess       = var.public_api ? "Enabled" : "Disabled"
      clientAffinityEnabled     = false
      keyVaultReferenceIdentity = azurerm_user_assigned_identity.app.id
      virtualNetworkSubnetId    = var.private_network ? azurerm_subnet.app[0].id : null
      functionAppConfig = {
        deployment = {
          storage = {
            type  = "blobContainer"
            value = "${azurerm_storage_account.main.primary_blob_endpoint}app-package"
            authentication = {
              type                           = "UserAssignedIdentity"
              userAssignedIdentityResourceId = azurerm_user_assigned_identity.app.id
            }
          }
        }
        runtime = { name = "custom", version = "1.0" }
        scaleAndConcurrency = {
          maximumInstanceCount = var.maximum_instance_count
          instanceMemoryMB     = var.instance_memory_mb
          alwaysReady = var.always_ready == 0 ? [] : [
            { name = "function:CircuitEvents", instanceCount = var.always_ready },
            { name = "function:Tick", instanceCount = var.always_ready },
          ]
        }
      }
      siteConfig = {
        minTlsVersion = "1.2"
        ftpsState     = "Disabled"
        http20Enabled = true
        cors          = { allowedOrigins = [] }
        appSettings   = [for name, value in local.settings : { name = name, value = value }]
      }
    }
  }

  response_export_values = ["properties.defaultHostName"]
  depends_on             = [azurerm_role_assignment.storage, azurerm_storage_container.main]
}

# No publishing by password.
resource "azapi_update_resource" "basic" {
  for_each    = toset(["ftp", "scm"])
  type        = "Microsoft.Web/sites/basicPublishingCredentialsPolicies@2024-04-01"
  resource_id = "${azapi_resource.app.id}/basicPublishingCredentialsPolicies/${each.key}"
  body        = { properties = { allow = false } }
}
