output "app_name" {
  value       = azapi_resource.app.name
  description = "Name of the function app, for the deployment of the package."
}

output "resource_group_name" {
  value       = azurerm_resource_group.main.name
  description = "Resource group of everything that is ours."
}

output "app_url" {
  value       = "https://${azapi_resource.app.output.properties.defaultHostName}/api/"
  description = "Where the API and the dashboard answer."
}

output "config_identity" {
  value       = "managed:${azurerm_user_assigned_identity.app.client_id}"
  description = "Value for azure.identity in the configuration."
}

output "config_record_account" {
  value       = "https://${var.record_account_id == "" ? azurerm_storage_account.main.name : element(split("/", var.record_account_id), 8)}.blob.core.windows.net"
  description = "Value for record.blob.account in the configuration."
}

output "config_record_container" {
  value       = "erfailover"
  description = "Value for record.blob.container in the configuration."
}

output "action_group_id" {
  value       = azapi_resource.events.id
  description = "Action group that alert rules of your own may name."
}

output "record_account_id" {
  value       = var.record_account_id == "" ? azurerm_storage_account.main.id : var.record_account_id
  description = "Value for record_account_id of the second region's deployment."
}
