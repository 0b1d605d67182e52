//! Names of secrets: words that say that a value is one, that it is not, and services whose tokens
//! look like nothing in particular.
//!
//! To add a word: one entry here. `next_page_token` has a key word in it and is harmless.
//!
//! Must not know: values.

/// How much a key word says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Strength {
    /// `key`, `access`, `login`: many other things are called so.
    Weak,
    /// `token`, `secret`, `credential`.
    Strong,
    /// `password`.
    Password,
}

/// Key words in lower case.
pub(crate) const KEY_WORDS: &[(Strength, &[&str])] = &[
    (
        Strength::Password,
        &[
            "password",
            "passwd",
            "passphrase",
            "pwd",
            "_pass",
            "pass=",
            "pass =",
            "pass:",
            "pass\"",
            "-pass",
            "passwort",
            "contraseña",
            "motdepasse",
            "mot de passe",
            "senha",
            "userpass",
            "dbpass",
        ],
    ),
    (
        Strength::Strong,
        &[
            "secret",
            "token",
            "apikey",
            "api key",
            "api_key",
            "api-key",
            "credential",
            "bearer",
            "authorization",
            "api-auth",
            "user_auth",
            "client_srt",
            "jfrog-art-api",
            "sonarlogin",
            "sonar.login",
        ],
    ),
    (
        Strength::Weak,
        &[
            "key",
            "access",
            "private",
            "auth",
            "unseal",
            "reporter_id",
            "session",
            "cookie",
            "signature",
            "login_with_api_key",
        ],
    ),
];

/// What a name contains that is no secret although a key word is in it.
pub(super) const HARMLESS: &[&[u8]] = &[
    b"public",
    b"page_token",
    b"pagetoken",
    b"page-token",
    b"next_token",
    b"nexttoken",
    b"continuation",
    b"sync_token",
    b"synctoken",
    b"starting_token",
    b"pubkey",
    b"pub_key",
    b"cache",
    b"idempot",
    b"primary",
    b"foreign",
    b"sortkey",
    b"sort_key",
    b"partition",
    b"monkey",
    b"keyboard",
    b"keyword",
    b"hotkey",
    b"dedup",
    b"keyring",
    b"keystore",
    b"keyframe",
    b"tokeniz",
    b"kms",
    b"keyvault",
    b"accessib",
    b"secretary",
    b"author\"",
    b"authors",
    b"checksum",
    b"digest",
    b"_hash",
    b"keysize",
    b"key_size",
    b"csrf",
    b"authenticity",
    b"sitekey",
    b"site_key",
    b"publishable",
    b"keycode",
    b"keypress",
    b"key_id",
    b"accessor",
    b"author ",
    b"author=",
    b"author:",
];

/// What a name ends in that says it names something about the secret.
pub(super) const ABOUT: &[&str] = &[
    "id",
    "ids",
    "name",
    "names",
    "url",
    "uri",
    "path",
    "file",
    "type",
    "size",
    "length",
    "len",
    "count",
    "field",
    "label",
    "expires",
    "expiry",
    "expiration",
    "ttl",
    "hint",
    "policy",
    "version",
    "arn",
    "sid",
    "at",
    "in",
    "endpoint",
    "format",
    "source",
    "ref",
    "info",
    "mode",
    "status",
    "usage",
    "server",
    "host",
];

/// Services whose tokens look like nothing in particular.
#[rustfmt::skip]
pub(crate) const SERVICES: &[&str] = &[
    "abuseipdb", "adafruit", "adobe", "airbrake", "airtable", "algolia", "amplitude", "apify", "appoptics", "asana", "auth0", "aviationstack", "bannerbear", "beamer", "besnappy", "bitbucket",
    "bitly", "blynk", "box", "braze", "browserstack", "bugsnag", "calendly", "chargebee", "clearbit", "clickhouse", "clickup", "clockify", "cloudflare", "cloudinary", "coda", "codacy", "codecov", "coinapi", "coinbase",
    "confluent", "contentful", "convertkit", "coveralls", "crowdin", "databricks", "datadog", "deepgram", "deepl", "digitalocean", "discord", "disqus", "docusign", "dropbox", "dynatrace", "etherscan", "etsy", "eventbrite",
    "facebook", "fastly", "figma", "finnhub", "firebase", "flickr", "freshdesk", "fullstory", "gitter", "gocardless", "grafana", "gumroad", "helpscout", "heroku", "hiveage", "honeycomb", "hubspot",
    "hunter", "infura", "intercom", "ipgeolocation", "ipinfo", "ipstack", "jira", "kraken", "kucoin", "launchdarkly", "line", "linkedin", "lob", "loggly", "logzio", "lokalise", "mailchimp", "mailerlite",
    "mailgun", "mailjet", "mandrill", "mapbox", "maxmind", "messagebird", "miro", "mixpanel", "monday", "moralis", "netlify", "newrelic", "newsapi", "ngrok", "notion", "nuget", "nytimes", "okta", "onesignal",
    "openai", "openweathermap", "opsgenie", "optimizely", "outreach", "pagerduty", "pastebin", "paypal", "pipedrive", "plaid", "polygon", "postman", "postmark", "prefect", "pubnub", "pusher", "quandl",
    "rapidapi", "razorpay", "readme", "rebrandly", "recurly", "refiner", "replicate", "rollbar", "salesforce", "scrapfly", "segment", "sendbird", "sendgrid", "sentry", "shippo", "shodan", "shopify",
    "sidekiq", "signalwire", "skrapp", "slack", "smartsheet", "snowflake", "sonarcloud", "sonarqube", "splunk", "spotify", "square", "squarespace", "strava", "sumologic", "surveymonkey", "telegram", "todoist", "toggl",
    "tomtom", "travisci", "trello", "twilio", "twitch", "twitter", "typeform", "uclassify", "unsplash", "uptimerobot", "vercel", "virustotal", "vonage", "vultr", "wakatime", "wandb", "weatherstack", "webflow",
    "wistia", "wrike", "xero", "yelp", "youtube", "zapier", "zendesk", "zeplin", "zoho", "zoom",
];
