# The rules that feed erfailover. They are azapi, so that they are the very bodies of
# the Bicep modules: the names and the versions are the same, and a test compares them.
# Each rule lives beside what it watches.

locals {
  # Two rules for each metric: a stateful alert is silent while it stays fired, so one
  # rule alone could fire on 50 and never say that 0 followed.
  circuit_metrics = {
    bgp-down     = { metric = "BgpAvailability", threshold = 1, severity = 0, text = "BGP is down on a link" }
    bgp-degraded = { metric = "BgpAvailability", threshold = 100, severity = 2, text = "BGP is not fully up on a link" }
    arp-down     = { metric = "ArpAvailability", threshold = 1, severity = 0, text = "ARP is down on a link" }
    arp-degraded = { metric = "ArpAvailability", threshold = 100, severity = 2, text = "ARP is not fully up on a link" }
  }
  gateway_metrics = {
    learned    = { metric = "ExpressRouteGatewayCountOfRoutesLearnedFromPeer", text = "learns no routes from a peer" }
    advertised = { metric = "ExpressRouteGatewayCountOfRoutesAdvertisedToPeer", text = "advertises no routes to a peer" }
  }
  port_metrics = {
    line    = { metric = "LineProtocol", operator = "LessThan", threshold = 1, severity = 0, text = "Line protocol is down on a link" }
    rx-low  = { metric = "RxLightLevel", operator = "LessThan", threshold = -10, severity = 2, text = "Received light is too low on a link" }
    rx-high = { metric = "RxLightLevel", operator = "GreaterThan", threshold = 0, severity = 2, text = "Received light is too high on a link" }
    tx-low  = { metric = "TxLightLevel", operator = "LessThan", threshold = -10, severity = 2, text = "Sent light is too low on a link" }
    tx-high = { metric = "TxLightLevel", operator = "GreaterThan", threshold = 0, severity = 2, text = "Sent light is too high on a link" }
  }

  metric_rules = merge(
    merge([for c in var.circuits : {
      for k, m in local.circuit_metrics : "${c.id}|${k}" => {
        id         = c.id, key = k, namespace = "Microsoft.Network/expressRouteCircuits", metric = m.metric, operator = "LessThan",
        threshold  = m.threshold, severity = m.severity, text = m.text, aggregation = "Average", window = "PT1M",
        dimensions = ["PeeringType", "Peer"]
      }
    }]...),
    merge([for g in var.gateways : {
      for k, m in local.gateway_metrics : "${g.id}|${k}" => {
        id         = g.id, key = k, namespace = "Microsoft.Network/virtualNetworkGateways", metric = "${g.scalable ? "Scalable" : ""}${m.metric}", operator = "LessThan",
        threshold  = 1, severity = 1, text = m.text, aggregation = "Maximum", window = "PT5M",
        dimensions = ["BgpPeerAddress"]
      }
    }]...),
    merge([for id in var.port_ids : {
      for k, m in local.port_metrics : "${id}|${k}" => {
        id         = id, key = k, namespace = "Microsoft.Network/expressRoutePorts", metric = m.metric, operator = m.operator,
        threshold  = m.threshold, severity = m.severity, text = m.text, aggregation = "Average", window = "PT1M",
        dimensions = ["Link"]
      }
    }]...),
  )

  health_ids = concat(var.circuits[*].id, var.gateways[*].id, var.wan_gateways[*].id)
}

resource "azapi_resource" "metric" {
  for_each  = local.metric_rules
  type      = "Microsoft.Insights/metricAlerts@2018-03-01"
  name      = "ma-${local.rule_prefix}-${basename(each.value.id)}-${each.value.key}"
  parent_id = join("/", slice(split("/", each.value.id), 0, 5))
  location  = "global"
  tags      = var.tags

  body = {
    properties = {
      description         = "${basename(each.value.id)}: ${each.value.text}. To erfailover."
      enabled             = true
      severity            = each.value.severity
      scopes              = [each.value.id]
      evaluationFrequency = "PT1M"
      windowSize          = each.value.window
      autoMitigate        = true # a recovery must be told, not guessed from silence
      criteria = {
        "odata.type" = "Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria"
        allOf = [{
          name            = each.value.key
          criterionType   = "StaticThresholdCriterion"
          metricNamespace = each.value.namespace
          metricName      = each.value.metric
          timeAggregation = each.value.aggregation
          operator        = each.value.operator
          threshold       = each.value.threshold
          dimensions      = [for d in each.value.dimensions : { name = d, operator = "Include", values = ["*"] }]
        }]
      }
      actions = [{ actionGroupId = azapi_resource.events.id }]
    }
  }
}

resource "azapi_resource" "health" {
  for_each  = toset(local.health_ids)
  type      = "Microsoft.Insights/activityLogAlerts@2020-10-01"
  name      = "ala-${local.rule_prefix}-${basename(each.key)}-health"
  parent_id = join("/", slice(split("/", each.key), 0, 5))
  location  = "Global"
  tags      = var.tags

  body = {
    properties = {
      description = "Resource Health of ${basename(each.key)}, every status. To erfailover."
      enabled     = true
      scopes      = [each.key]
      condition   = { allOf = [{ field = "category", equals = "ResourceHealth" }] }
      actions     = { actionGroups = [{ actionGroupId = azapi_resource.events.id }] }
    }
  }
}

resource "azapi_resource" "written" {
  for_each  = toset(var.connection_ids)
  type      = "Microsoft.Insights/activityLogAlerts@2020-10-01"
  name      = "ala-${local.rule_prefix}-${basename(each.key)}-written"
  parent_id = join("/", slice(split("/", each.key), 0, 5))
  location  = "Global"
  tags      = var.tags

  body = {
    properties = {
      description = "Somebody wrote ${basename(each.key)}. To erfailover, which then looks for drift."
      enabled     = true
      scopes      = [each.key]
      condition = { allOf = [
        { field = "category", equals = "Administrative" },
        { field = "operationName", equals = "Microsoft.Network/connections/write" },
      ] }
      actions = { actionGroups = [{ actionGroupId = azapi_resource.events.id }] }
    }
  }
}

resource "azapi_resource" "announced" {
  type      = "Microsoft.Insights/activityLogAlerts@2020-10-01"
  name      = "ala-${var.name}-servicehealth"
  parent_id = azurerm_resource_group.main.id
  location  = "Global"
  tags      = var.tags

  body = {
    properties = {
      description = "Service Health for ExpressRoute, to erfailover."
      enabled     = true
      scopes      = ["/subscriptions/${var.subscription_id}"]
      condition = { allOf = [
        { field = "category", equals = "ServiceHealth" },
        { field = "properties.impactedServices[*].ServiceName", containsAny = ["ExpressRoute", "ExpressRoute \\ ExpressRoute Circuits", "ExpressRoute \\ ExpressRoute Gateways"] },
      ] }
      actions = { actionGroups = [{ actionGroupId = azapi_resource.events.id }] }
    }
  }
}

resource "azapi_resource" "stream" {
  for_each = { for w in concat(
    [for c in var.circuits : { id = c.id, location = c.location }],
    [for g in var.gateways : { id = g.id, location = g.location }],
  ) : w.id => w if var.streams == "workspace" || w.location == var.location }
  type      = "Microsoft.Insights/diagnosticSettings@2021-05-01-preview"
  name      = local.rule_prefix
  parent_id = each.key

  body = {
    properties = {
      workspaceId                 = var.streams == "workspace" ? azurerm_log_analytics_workspace.main.id : null
      eventHubAuthorizationRuleId = var.streams == "hub" ? azurerm_eventhub_namespace_authorization_rule.monitor[0].id : null
      eventHubName                = var.streams == "hub" ? azurerm_eventhub.main.name : null
      metrics                     = [{ category = "AllMetrics", enabled = true }]
    }
  }
}

resource "azapi_resource" "activity" {
  for_each  = toset(local.subscription_ids)
  type      = "Microsoft.Insights/diagnosticSettings@2021-05-01-preview"
  name      = local.rule_prefix
  parent_id = "/subscriptions/${each.key}"

  body = {
    properties = {
      workspaceId                 = var.streams == "workspace" ? azurerm_log_analytics_workspace.main.id : null
      eventHubAuthorizationRuleId = var.streams == "hub" ? azurerm_eventhub_namespace_authorization_rule.monitor[0].id : null
      eventHubName                = var.streams == "hub" ? azurerm_eventhub.main.name : null
      logs                        = [for c in ["Administrative", "ResourceHealth", "ServiceHealth"] : { category = c, enabled = true }]
    }
  }
}
