# One account: the host's own blobs, the package, the record, the journal.

resource "azurerm_storage_account" "main" {
  name                            = substr("st${replace(lower(var.name), "-", "")}${local.suffix}", 0, 24)
  resource_group_name             = azurerm_resource_group.main.name
  location                        = var.location
  account_tier                    = "Standard"
  account_replication_type        = var.storage_copies
  account_kind                    = "StorageV2"
  min_tls_version                 = "TLS1_2"
  https_traffic_only_enabled      = true
  shared_access_key_enabled       = false
  default_to_oauth_authentication = true
  allow_nested_items_to_be_public = false
  public_network_access_enabled   = !var.private_network
  tags                            = var.tags

  blob_properties {
    versioning_enabled = true
    delete_retention_policy {
      days = 30
    }
    container_delete_retention_policy {
      days = 30
    }
  }
}

resource "azurerm_storage_container" "main" {
  for_each           = toset(concat(["app-package", "erfailover", "erfailover-journal"], var.capture ? ["circuit-events"] : []))
  name               = each.key
  storage_account_id = azurerm_storage_account.main.id
}

# Unlocked on purpose: lock it by hand once you are sure of the number of days.
resource "azurerm_storage_container_immutability_policy" "journal" {
  storage_container_resource_manager_id = azurerm_storage_container.main["erfailover-journal"].id
  immutability_period_in_days           = var.journal_retention_days
  protected_append_writes_enabled       = true
}

# The host wants Owner for its leases; queues and tables are the host's diagnostics.
resource "azurerm_role_assignment" "storage" {
  for_each             = toset(["Storage Blob Data Owner", "Storage Queue Data Contributor", "Storage Table Data Contributor"])
  scope                = azurerm_storage_account.main.id
  role_definition_name = each.key
  principal_id         = azurerm_user_assigned_identity.app.principal_id
  principal_type       = "ServicePrincipal"
}

# The right to a record that another deployment holds, for the second region's app.
resource "azurerm_role_assignment" "record" {
  count                = var.record_account_id == "" ? 0 : 1
  scope                = var.record_account_id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_user_assigned_identity.app.principal_id
  principal_type       = "ServicePrincipal"
}

# Events as they came, when they are captured. Who sends them on may write here only.
resource "azurerm_role_assignment" "capture" {
  count                = var.capture ? 1 : 0
  scope                = azurerm_storage_container.main["circuit-events"].id
  role_definition_name = "Storage Blob Data Contributor"
  principal_id         = azurerm_user_assigned_identity.alerts.principal_id
  principal_type       = "ServicePrincipal"
}
