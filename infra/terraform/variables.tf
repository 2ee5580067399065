# The same parameters as infra/main.bicep, with the same defaults.

variable "subscription_id" {
  type        = string
  description = "Subscription of the app."
}

variable "name" {
  type        = string
  description = "Short name that every resource carries."
  default     = "erfailover"

  validation {
    condition     = length(var.name) >= 3 && length(var.name) <= 11
    error_message = "name has 3 to 11 characters."
  }
}

variable "location" {
  type        = string
  description = "Azure region of the app and its hub. Take one that keeps working when your busiest peering location does not."
}

variable "tags" {
  type        = map(string)
  description = "Tags for everything that is ours."
  default     = {}
}

variable "circuits" {
  type        = list(object({ id = string, location = optional(string, "") }))
  description = "The circuits to watch. location is needed only for streams = hub."

  validation {
    condition     = length(var.circuits) > 0
    error_message = "name at least one circuit."
  }
}

variable "gateways" {
  type        = list(object({ id = string, scalable = optional(bool, false), location = optional(string, "") }))
  description = "The ExpressRoute gateways of virtual networks. scalable: ErGwScale, whose metrics have other names."
  default     = []
}

variable "connection_ids" {
  type        = list(string)
  description = "Connections whose weights may be moved. Only these can be written to."
  default     = []
}

variable "wan_gateways" {
  type        = list(object({ id = string, hub_id = string }))
  description = "The ExpressRoute gateways of Virtual WAN hubs. Their connections are part of them."
  default     = []
}

variable "port_ids" {
  type        = list(string)
  description = "ExpressRoute Direct ports, for line protocol and light levels."
  default     = []
}

variable "rights" {
  type        = string
  description = "What the app may do to the network: observe, operate or drill."
  default     = "observe"

  validation {
    condition     = contains(["observe", "operate", "drill"], var.rights)
    error_message = "rights is observe, operate or drill."
  }
}

variable "read_scope" {
  type        = string
  description = "Where the app may read: resources (what is named above) or subscriptions (all of theirs)."
  default     = "resources"

  validation {
    condition     = contains(["resources", "subscriptions"], var.read_scope)
    error_message = "read_scope is resources or subscriptions."
  }
}

variable "streams" {
  type        = string
  description = "Where diagnostic settings and the activity log go besides the alerts: workspace, or hub, which then has to accept shared access keys."
  default     = "workspace"

  validation {
    condition     = contains(["workspace", "hub"], var.streams)
    error_message = "streams is workspace or hub."
  }
}

variable "private_network" {
  type        = bool
  description = "Network of its own with private endpoints for storage and hub."
  default     = true
}

variable "address_prefix" {
  type        = string
  description = "Address space of that network; at least a /26."
  default     = "10.255.240.0/26"
}

variable "public_api" {
  type        = bool
  description = "Whether the HTTP API and the dashboard answer on the public endpoint."
  default     = true
}

variable "always_ready" {
  type        = number
  description = "Instances kept warm for the event hub trigger and for the tick, each."
  default     = 1
}

variable "instance_memory_mb" {
  type        = number
  description = "Memory of one instance: 512, 2048 or 4096."
  default     = 2048
}

variable "maximum_instance_count" {
  type        = number
  description = "Upper bound on instances; 40 is the least that Flex Consumption takes."
  default     = 40
}

variable "capture" {
  type        = bool
  default     = false
  description = "Whether every event is also kept in our storage, container circuit-events, as Avro, for auditors and tools of your own. The program reads it never."
}

variable "storage_copies" {
  type        = string
  default     = "ZRS"
  description = "Copies of our storage. ZRS: three zones of this region. GZRS: and a copy in the paired region, to which the account can be failed over; take it for the deployment that holds the record of two regions."

  validation {
    condition     = contains(["ZRS", "GZRS"], var.storage_copies)
    error_message = "ZRS or GZRS."
  }
}

variable "record_account_id" {
  type        = string
  default     = ""
  description = "Resource ID of the storage account of another deployment, whose record is used: then both apps work for one estate as equals, and either goes on alone. Empty: a record of its own."
}

variable "journal_retention_days" {
  type        = number
  description = "Days that an entry of the journal cannot be changed or removed by anybody."
  default     = 365
}

variable "log_retention_days" {
  type        = number
  description = "Days that logs and requests are kept."
  default     = 90
}

variable "emergency_emails" {
  type        = list(string)
  description = "Who is told when the automation itself is silent or failing."
  default     = []
}

variable "teams_webhook_secret_uri" {
  type        = string
  description = "Key Vault secret URI of the Teams webhook, or empty."
  default     = ""
}

variable "pagerduty_secret_uri" {
  type        = string
  description = "Key Vault secret URI of the PagerDuty routing key, or empty."
  default     = ""
}

variable "webhook_key_secret_uri" {
  type        = string
  default     = ""
  description = "Key Vault secret URI of the key that signs what is posted to webhooks, or empty: then it is not signed. The URI, never the key."
}

variable "link_key_secret_uri" {
  type        = string
  default     = ""
  description = "Key Vault secret URI of the key that signs the links by which an announced drill is called off, 32 random characters or more, or empty: then announcements carry no link. The URI, never the key."
}

variable "notify_allow" {
  type        = string
  default     = ""
  description = "Inner networks that webhooks of yours may be in, with commas: 10.1.2.0/24,10.9.0.7/32. Empty: none."
}

variable "otlp_endpoint" {
  type        = string
  default     = ""
  description = "Base URL of an OpenTelemetry collector that takes OTLP over HTTP, or empty: then nothing is sent."
}
