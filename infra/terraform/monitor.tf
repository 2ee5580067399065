# What watches the watcher.

resource "azurerm_log_analytics_workspace" "main" {
  name                         = "log-${var.name}"
  resource_group_name          = azurerm_resource_group.main.name
  location                     = var.location
  sku                          = "PerGB2018"
  retention_in_days            = var.log_retention_days
  local_authentication_enabled = false
  tags                         = var.tags
}

resource "azurerm_application_insights" "main" {
  name                          = "appi-${var.name}"
  resource_group_name           = azurerm_resource_group.main.name
  location                      = var.location
  workspace_id                  = azurerm_log_analytics_workspace.main.id
  application_type              = "web"
  local_authentication_disabled = true
  tags                          = var.tags
}

resource "azurerm_role_assignment" "publish" {
  scope                = azurerm_application_insights.main.id
  role_definition_name = "Monitoring Metrics Publisher"
  principal_id         = azurerm_user_assigned_identity.app.principal_id
  principal_type       = "ServicePrincipal"
}

# A group of its own: the automation's own failure must not go through the automation.
resource "azurerm_monitor_action_group" "emergency" {
  name                = "ag-${var.name}-emergency"
  resource_group_name = azurerm_resource_group.main.name
  short_name          = "erf-emergncy"
  tags                = var.tags

  dynamic "email_receiver" {
    for_each = var.emergency_emails
    content {
      name                    = "mail-${email_receiver.key}"
      email_address           = email_receiver.value
      use_common_alert_schema = true
    }
  }
}

locals {
  # Tick runs every 15 seconds; a count that finds nothing is 0, so silence fires.
  alarms = {
    heartbeat = {
      text      = "erfailover has not ticked for five minutes. Nobody is watching the circuits. See infra/README.md: heartbeat."
      query     = "AppRequests | where OperationName == \"Tick\" and Success == true"
      operator  = "LessThan"
      threshold = 1
      severity  = 0
    }
    failing = {
      text      = "erfailover fails most of its ticks: it runs but cannot do its work. See infra/README.md: failing."
      query     = "AppRequests | where OperationName == \"Tick\" and Success == false"
      operator  = "GreaterThan"
      threshold = 10
      severity  = 1
    }
    deadletter = {
      text      = "erfailover stored an event that it could not read. See infra/README.md: deadletter."
      query     = "AppTraces | where Message has \"event.broken\" or Message has \"batch.given_up\""
      operator  = "GreaterThan"
      threshold = 0
      severity  = 3
    }
  }
}

resource "azurerm_monitor_scheduled_query_rules_alert_v2" "alarm" {
  for_each                = local.alarms
  name                    = "sqr-${var.name}-${each.key}"
  display_name            = "${var.name}: ${each.key}"
  description             = each.value.text
  resource_group_name     = azurerm_resource_group.main.name
  location                = var.location
  scopes                  = [azurerm_log_analytics_workspace.main.id]
  severity                = each.value.severity
  evaluation_frequency    = "PT5M"
  window_duration         = "PT5M"
  auto_mitigation_enabled = true
  skip_query_validation   = true
  tags                    = var.tags

  criteria {
    query                   = each.value.query
    time_aggregation_method = "Count"
    operator                = each.value.operator
    threshold               = each.value.threshold
    failing_periods {
      number_of_evaluation_periods             = 1
      minimum_failing_periods_to_trigger_alert = 1
    }
  }

  action {
    action_groups = [azurerm_monitor_action_group.emergency.id]
  }
}

resource "azurerm_application_insights_workbook" "main" {
  name                = uuidv5("url", "${azurerm_resource_group.main.id}/workbook")
  resource_group_name = azurerm_resource_group.main.name
  location            = var.location
  display_name        = "ExpressRoute failover (${var.name})"
  source_id           = lower(azurerm_log_analytics_workspace.main.id)
  data_json           = file("${path.module}/../workbook/erfailover.workbook.json")
  tags                = var.tags
}
