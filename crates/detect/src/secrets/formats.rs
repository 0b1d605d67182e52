//! What the tokens of providers look like, as their documentation and their scanning partners
//! describe them: one line a format.
//!
//! `GITHUB_TOKEN` begins with `ghp_` and goes on with 36 letters and digits. The literal beginning
//! is searched for; the rest is held against what follows it.
//!
//! Must not know: where tokens are looked for, what is done about them.

/// The shape of one kind of token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// Its name in findings.
    pub(crate) kind: &'static str,
    /// How it begins, letter case included.
    pub(crate) prefixes: &'static [&'static str],
    /// Bytes of the token before that beginning.
    pub(crate) lead: usize,
    /// A regular expression for what follows the beginning.
    pub(crate) tail: &'static str,
    /// How sure a match is.
    pub(crate) confidence: f32,
}

/// The beginning alone says what it is.
const fn sure(kind: &'static str, prefixes: &'static [&'static str], tail: &'static str) -> Format {
    Format {
        kind,
        prefixes,
        lead: 0,
        tail,
        confidence: 0.95,
    }
}

/// The beginning is short enough to stand elsewhere too: what follows must look random.
const fn likely(
    kind: &'static str,
    prefixes: &'static [&'static str],
    tail: &'static str,
) -> Format {
    Format {
        kind,
        prefixes,
        lead: 0,
        tail,
        confidence: LIKELY,
    }
}

/// Some of the token stands before what is searched for.
const fn within(
    lead: usize,
    kind: &'static str,
    prefixes: &'static [&'static str],
    tail: &'static str,
) -> Format {
    Format {
        kind,
        prefixes,
        lead,
        tail,
        confidence: 0.9,
    }
}

/// The confidence of a format whose matches must also look random.
pub(crate) const LIKELY: f32 = 0.8;

/// Clouds and what runs on them.
#[rustfmt::skip]
pub(crate) const CLOUD: &[Format] = &[
    sure("AWS_ACCESS_KEY", &["AKIA", "ASIA", "ABIA", "ACCA", "A3T0", "A3TA", "A3TX"], r"[A-Z0-9]{16}"),
    sure("AWS_BEDROCK_KEY", &["ABSK"], r"[A-Za-z0-9+/]{100,269}={0,2}"),
    sure("AWS_BEDROCK_KEY", &["bedrock-api-key-"], r"[A-Za-z0-9+/_=-]{40,}"),
    sure("AWS_MWS_TOKEN", &["amzn.mws."], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    sure("AWS_CLIENT_SECRET", &["amzn1.oa2-cs.v1."], r"[0-9a-f]{64}"),
    sure("AGE_SECRET_KEY", &["AGE-SECRET-KEY-1"], r"[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58}"),
    likely("ALIBABA_ACCESS_KEY", &["LTAI"], r"[A-Za-z0-9]{12,26}"),
    within(4, "AZURE_CLIENT_SECRET", &["Q~"], r"[A-Za-z0-9_~.-]{31,35}"),
    sure("AZURE_SHARED_KEY", &["AccountKey=", "SharedAccessKey=", "SharedSecretValue="], r"[A-Za-z0-9+/]{40,88}={0,2}"),
    within(42, "AZURE_SERVICE_KEY", &["AzSe", "AzFu", "+ACR", "+ASt", "APIM", "AAEsb"], r"[A-Za-z0-9+/]{6,8}(?:==)?"),
    likely("CLOUDFLARE_CA_KEY", &["v1.0-"], r"[0-9a-f]{24}-[0-9a-f]{146}"),
    sure("DATABRICKS_TOKEN", &["dapi", "dsapi", "dkea"], r"[0-9a-f]{32}(?:-[0-9])?"),
    sure("DENO_TOKEN", &["ddp_", "ddw_"], r"[A-Za-z0-9]{36}"),
    sure("DIGITALOCEAN_TOKEN", &["dop_v1_", "doo_v1_", "dor_v1_"], r"[0-9a-f]{64}"),
    sure("DOPPLER_TOKEN", &["dp.pt.", "dp.ct.", "dp.sa.", "dp.scim.", "dp.audit.", "dp.said."], r"[A-Za-z0-9]{40,44}"),
    sure("DOPPLER_TOKEN", &["dp.st."], r"(?:[a-z0-9_-]{2,35}\.)?[A-Za-z0-9]{40,44}"),
    sure("FLY_TOKEN", &["fo1_"], r"[A-Za-z0-9_-]{43}"),
    sure("FLY_TOKEN", &["fm1a_", "fm1r_", "fm2_"], r"[A-Za-z0-9+/]{80,}={0,3}"),
    sure("GOOGLE_API_KEY", &["AIza"], r"[A-Za-z0-9_-]{35}"),
    sure("GOOGLE_CLIENT_SECRET", &["GOCSPX-"], r"[A-Za-z0-9_-]{28}"),
    sure("GOOGLE_OAUTH_TOKEN", &["ya29."], r"[A-Za-z0-9_-]{20,}"),
    likely("GOOGLE_REFRESH_TOKEN", &["1//0"], r"[A-Za-z0-9_-]{30,}"),
    sure("HASHICORP_VAULT_TOKEN", &["hvs.", "hvb.", "hvr."], r"[A-Za-z0-9_-]{24,300}"),
    within(14, "HASHICORP_TERRAFORM_TOKEN", &[".atlasv1."], r"[A-Za-z0-9_=-]{60,70}"),
    sure("HEROKU_KEY", &["HRKU-"], r"(?:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[A-Za-z0-9_-]{58,64})"),
    sure("IBM_CLOUD_KEY", &["ApiKey-"], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    sure("NETLIFY_TOKEN", &["nfp_", "nfo_", "nfc_", "nfu_"], r"[A-Za-z0-9]{36}"),
    sure("OPENSHIFT_TOKEN", &["sha256~"], r"[A-Za-z0-9_-]{43}"),
    sure("PLANETSCALE_TOKEN", &["pscale_tkn_", "pscale_pw_", "pscale_oauth_", "pscale_api_"], r"[A-Za-z0-9=._-]{32,64}"),
    sure("PULUMI_TOKEN", &["pul-"], r"[0-9a-f]{40}"),
    likely("RENDER_KEY", &["rnd_"], r"[A-Za-z0-9]{28,36}"),
    sure("SCALEWAY_KEY", &["SCW"], r"[A-Z0-9]{17}"),
    sure("SCALINGO_TOKEN", &["tk-us-"], r"[A-Za-z0-9_-]{48}"),
    sure("SUPABASE_TOKEN", &["sbp_", "sb_secret_"], r"(?:v0_)?[A-Za-z0-9_-]{31,40}"),
    sure("TAILSCALE_KEY", &["tskey-"], r"(?:[a-z]+-)?[A-Za-z0-9]{8,}(?:-[A-Za-z0-9]{16,})?"),
    sure("TENCENT_KEY", &["AKID"], r"[A-Za-z0-9]{32}"),
    likely("VERCEL_TOKEN", &["vcp_", "vci_", "vca_", "vcr_", "vck_"], r"[A-Za-z0-9]{24,60}"),
    likely("YANDEX_KEY", &["AQVN", "AQVNz"], r"[A-Za-z0-9_-]{34,38}"),
    likely("YANDEX_TOKEN", &["t1."], r"[A-Z0-9a-z_-]+={0,2}\.[A-Z0-9a-z_-]{86}={0,2}"),
    likely("YANDEX_TOKEN", &["y0_", "y1_", "y2_"], r"[A-Za-z0-9_-]{40,60}"),
];

/// Where code is written, built, reviewed and published.
#[rustfmt::skip]
pub(crate) const CODE: &[Format] = &[
    sure("ARTIFACTORY_KEY", &["AKCp"], r"[A-Za-z0-9]{60,80}"),
    sure("ARTIFACTORY_TOKEN", &["cmVmdGtu"], r"[A-Za-z0-9]{50,70}"),
    sure("ATLASSIAN_TOKEN", &["ATATT3", "ATCTT3", "ATSTT3"], r"[A-Za-z0-9_=-]{60,250}"),
    likely("BITBUCKET_APP_PASSWORD", &["ATBB"], r"[A-Za-z0-9_=.-]{24,50}"),
    sure("BUILDKITE_TOKEN", &["bkua_", "bkat_", "bkct_", "bkpi_", "bkpt_"], r"[A-Za-z0-9]{36,64}"),
    sure("CIRCLECI_TOKEN", &["CCIPAT_", "CCIPRJ_"], r"[A-Za-z0-9]{20,24}_[0-9a-z]{40,64}"),
    sure("CLOJARS_TOKEN", &["CLOJARS_"], r"[A-Za-z0-9]{60}"),
    likely("CODEMAGIC_TOKEN", &["codemagic_"], r"[A-Za-z0-9_-]{30,60}"),
    likely("CRATES_TOKEN", &["cio"], r"[A-Za-z0-9]{32}"),
    sure("DEPENDENCY_TRACK_KEY", &["odt_"], r"[A-Za-z0-9_]{32,42}"),
    sure("DOCKER_TOKEN", &["dckr_pat_"], r"[A-Za-z0-9_-]{27}"),
    sure("DOCKER_TOKEN", &["dckr_oat_"], r"[A-Za-z0-9_-]{32}"),
    sure("DEFINED_TOKEN", &["dnkey-"], r"[a-z0-9=_-]{26}-[a-z0-9=_-]{52}"),
    sure("GITHUB_TOKEN", &["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], r"[A-Za-z0-9]{36,251}"),
    sure("GITHUB_FINE_GRAINED_TOKEN", &["github_pat_"], r"[A-Za-z0-9]{20,24}_[A-Za-z0-9]{58,60}"),
    sure("GITLAB_TOKEN", &["glpat-", "gldt-", "glptt-", "glsoat-", "glffct-"], r"[A-Za-z0-9_-]{20,64}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?"),
    sure("GITLAB_TOKEN", &["glrt-", "glrtr-", "glcbt-", "glimt-", "glft-"], r"(?:t\d_|[0-9a-f]{1,5}_)?[A-Za-z0-9_-]{20,64}(?:\.[0-9a-z]{2}\.[0-9a-z]{9})?"),
    sure("GITLAB_TOKEN", &["glagent-"], r"[A-Za-z0-9_-]{50,}"),
    sure("GITLAB_TOKEN", &["gloas-"], r"[A-Za-z0-9_-]{64}"),
    sure("GITLAB_RUNNER_TOKEN", &["GR1348941"], r"[A-Za-z0-9_-]{20,50}"),
    likely("GRADLE_KEY", &["eyJrZXkiOi"], r"[A-Za-z0-9_=-]{30,}"),
    sure("HARNESS_TOKEN", &["pat.", "sat."], r"[A-Za-z0-9_-]{22}\.[A-Za-z0-9]{24}\.[A-Za-z0-9]{20}"),
    likely("INFRACOST_KEY", &["ico-"], r"[A-Za-z0-9]{32}"),
    sure("LAUNCHDARKLY_KEY", &["api-", "sdk-"], r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"),
    sure("LINEAR_KEY", &["lin_api_", "lin_oauth_"], r"[A-Za-z0-9]{40,64}"),
    sure("NPM_TOKEN", &["npm_"], r"[A-Za-z0-9]{36}"),
    sure("NPM_TOKEN", &[":_authToken="], r"[\x22']?(?:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|[A-Za-z0-9_=+/-]{24,})"),
    likely("NUGET_KEY", &["oy2"], r"[a-z0-9]{43}"),
    likely("OCTOPUS_KEY", &["API-"], r"[A-Z0-9]{24,28}"),
    sure("POSTMAN_KEY", &["PMAK-"], r"[0-9a-f]{24}-[0-9a-f]{34}"),
    sure("POSTMAN_KEY", &["PMAT-"], r"[A-Z0-9]{26}"),
    sure("PREFECT_KEY", &["pnu_", "pnb_"], r"[A-Za-z0-9]{36}"),
    sure("PYPI_TOKEN", &["pypi-AgE"], r"[A-Za-z0-9_-]{50,}"),
    sure("README_KEY", &["rdme_"], r"[a-z0-9]{70}"),
    sure("ROOTLY_TOKEN", &["rootly_"], r"[0-9a-f]{64}"),
    sure("RUBYGEMS_KEY", &["rubygems_"], r"[0-9a-f]{48}"),
    sure("SENTRY_TOKEN", &["sntrys_"], r"eyJ[A-Za-z0-9_=+/-]{60,}"),
    sure("SENTRY_TOKEN", &["sntryu_", "sntrya_", "sntryi_"], r"[0-9a-f]{64}"),
    sure("SONAR_TOKEN", &["sqp_", "squ_", "sqa_"], r"[0-9a-f]{40}"),
    sure("SOURCEGRAPH_TOKEN", &["sgp_"], r"(?:[A-Za-z0-9]{16}_|local_)?[0-9a-fA-F]{40}(?:[0-9a-fA-F]{24})?"),
    sure("SOURCEGRAPH_TOKEN", &["slk_", "sgd_"], r"[0-9a-f]{64}"),
    sure("SNYK_TOKEN", &["snyk_uat.", "snyk_sat."], r"[a-z0-9]{8}\.[A-Za-z0-9_.-]{30,}"),
    likely("STACKHAWK_KEY", &["hawk."], r"[A-Za-z0-9_-]{20}\.[A-Za-z0-9_-]{20}"),
    sure("DJANGO_SECRET_KEY", &["django-insecure-"], r"[A-Za-z0-9!@#$%^&*()_+=-]{40,60}"),
    sure("TRAVIS_TOKEN", &["travis_"], r"[A-Za-z0-9_-]{22}"),
    sure("WAKATIME_KEY", &["waka_"], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
];

/// Models and what is built on them.
#[rustfmt::skip]
pub(crate) const MODELS: &[Format] = &[
    sure("ANTHROPIC_KEY", &["sk-ant-"], r"[a-z]{2,8}[0-9]{2,4}-[A-Za-z0-9_-]{80,120}"),
    likely("CEREBRAS_KEY", &["csk-"], r"[a-z0-9]{48}"),
    likely("ELEVENLABS_KEY", &["sk_"], r"[0-9a-f]{48}"),
    likely("FIREWORKS_KEY", &["fw_"], r"[A-Za-z0-9]{22,26}"),
    sure("GROQ_KEY", &["gsk_"], r"[A-Za-z0-9]{52}"),
    sure("HUGGINGFACE_TOKEN", &["hf_"], r"[A-Za-z]{34}"),
    sure("HUGGINGFACE_TOKEN", &["api_org_"], r"[A-Za-z]{34}"),
    sure("LANGFUSE_KEY", &["sk-lf-"], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    sure("LANGSMITH_KEY", &["lsv2_pt_", "lsv2_sk_", "ls__"], r"[0-9a-f]{32}(?:_[0-9a-f]{10})?"),
    sure("NVIDIA_KEY", &["nvapi-"], r"[A-Za-z0-9_-]{60,70}"),
    sure("OPENAI_KEY", &["sk-proj-", "sk-svcacct-", "sk-admin-", "sk-None-"], r"[A-Za-z0-9_-]{48,200}"),
    sure("OPENAI_KEY", &["sk-"], r"[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20}"),
    sure("OPENROUTER_KEY", &["sk-or-v1-"], r"[0-9a-f]{64}"),
    likely("MODEL_KEY", &["sk-"], r"[A-Za-z0-9]{32,64}"),
    sure("PERPLEXITY_KEY", &["pplx-"], r"[A-Za-z0-9]{48,56}"),
    sure("PINECONE_KEY", &["pcsk_"], r"[A-Za-z0-9_]{60,80}"),
    sure("REPLICATE_TOKEN", &["r8_"], r"[A-Za-z0-9_-]{37}"),
    sure("TOGETHER_KEY", &["tgp_v1_"], r"[A-Za-z0-9_-]{40,50}"),
    likely("TAVILY_KEY", &["tvly-"], r"(?:dev-|prod-)?[A-Za-z0-9_-]{32,44}"),
    likely("VOYAGE_KEY", &["pa-"], r"[A-Za-z0-9_-]{43}"),
    sure("XAI_KEY", &["xai-"], r"[A-Za-z0-9]{80}"),
];

/// Money.
#[rustfmt::skip]
pub(crate) const MONEY: &[Format] = &[
    likely("ADYEN_KEY", &["AQE"], r"[a-z]hmf[A-Za-z0-9+/=.-]{30,}"),
    sure("BRAINTREE_TOKEN", &["access_token$production$", "access_token$sandbox$"], r"[a-z0-9]{16}\$[0-9a-f]{32}"),
    sure("DUFFEL_TOKEN", &["duffel_live_", "duffel_test_"], r"[A-Za-z0-9_-]{43}"),
    sure("EASYPOST_KEY", &["EZAK", "EZTK"], r"[A-Za-z0-9]{54}"),
    sure("FLUTTERWAVE_KEY", &["FLWSECK-", "FLWSECK_TEST-"], r"[A-Za-z0-9]{12,40}(?:-X)?"),
    likely("LOB_KEY", &["live_", "test_"], r"[0-9a-f]{35}"),
    likely("MOLLIE_KEY", &["live_", "test_"], r"[A-Za-z0-9]{30}"),
    sure("PLAID_TOKEN", &["access-sandbox-", "access-production-", "access-development-"], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    sure("RAZORPAY_KEY", &["rzp_live_", "rzp_test_"], r"[A-Za-z0-9]{14}"),
    sure("SHIPPO_TOKEN", &["shippo_live_", "shippo_test_"], r"[0-9a-fA-F]{40}"),
    sure("SHOPIFY_TOKEN", &["shpat_", "shpca_", "shppa_", "shpss_", "shpua_", "shptka_"], r"[0-9a-fA-F]{32}"),
    sure("SQUARE_TOKEN", &["sq0atp-", "sq0idp-", "sq0csp-", "sq0idb-"], r"[A-Za-z0-9_-]{22,60}"),
    likely("SQUARE_TOKEN", &["EAAA"], r"[A-Za-z0-9_=-]{56,64}"),
    sure("STRIPE_KEY", &["sk_live_", "sk_test_", "sk_prod_", "rk_live_", "rk_test_", "rk_prod_"], r"[A-Za-z0-9]{10,250}"),
    sure("STRIPE_WEBHOOK_SECRET", &["whsec_"], r"[A-Za-z0-9+/=_-]{32,}"),
    sure("PAYSTACK_KEY", &["sk_live_", "sk_test_"], r"[0-9a-f]{40}"),
    sure("COINBASE_KEY", &["organizations/"], r"[0-9a-f-]{36}/apiKeys/[0-9a-f-]{36}"),
];

/// Talk, mail, people, plans, watching.
#[rustfmt::skip]
pub(crate) const TALK: &[Format] = &[
    sure("ADAFRUIT_KEY", &["aio_"], r"[A-Za-z0-9]{28}"),
    sure("BREVO_KEY", &["xkeysib-", "xsmtpsib-"], r"[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    sure("CONTENTFUL_TOKEN", &["CFPAT-"], r"[A-Za-z0-9_-]{43}"),
    likely("DROPBOX_TOKEN", &["sl.", "sl.u.", "sl.B"], r"[A-Za-z0-9_-]{120,}=*"),
    sure("DYNATRACE_TOKEN", &["dt0c01.", "dt0s01.", "dt0s02.", "dt0s04.", "dt0s06.", "dt0s08.", "dt0e01.", "dt0a01."], r"[A-Z0-9]{8,30}\.[A-Z0-9]{60,70}"),
    sure("FACEBOOK_TOKEN", &["EAAC", "EAAM", "EAAB", "EAAG", "EAAD", "EAAE", "EAAF", "EAAH", "EAAI", "EAAJ", "EAAK", "EAAL", "EAAN", "EAAO", "EAAP", "EAAQ", "EAAR", "EAAS", "EAAT", "EAAU", "EAAV", "EAAW", "EAAX", "EAAY", "EAAZ"], r"[A-Za-z0-9]{80,300}"),
    sure("FACEBOOK_TOKEN", &["EAACEdEose0cBA"], r"[A-Za-z0-9]{20,300}"),
    sure("FIGMA_TOKEN", &["figd_", "figu_", "figo_", "figh_"], r"[A-Za-z0-9_-]{40,50}"),
    likely("FRAMEIO_TOKEN", &["fio-u-"], r"[A-Za-z0-9_=-]{64}"),
    sure("GRAFANA_TOKEN", &["glc_"], r"[A-Za-z0-9+/_=-]{32,400}"),
    sure("GRAFANA_TOKEN", &["glsa_"], r"[A-Za-z0-9]{32}_[0-9a-fA-F]{8}"),
    sure("GRAFANA_KEY", &["eyJrIjoi"], r"[A-Za-z0-9_-]{60,400}={0,2}"),
    likely("HUBSPOT_TOKEN", &["pat-na1-", "pat-na2-", "pat-eu1-", "pat-ap1-"], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    likely("INTRA42_SECRET", &["s-s4t2ud-", "s-s4t2af-"], r"[0-9a-f]{64}"),
    sure("MAILGUN_KEY", &["key-", "pubkey-"], r"[0-9a-f]{32}"),
    sure("MAPBOX_TOKEN", &["sk.eyJ"], r"[A-Za-z0-9_-]{30,300}\.[A-Za-z0-9_-]{20,40}"),
    sure("NEW_RELIC_KEY", &["NRAK-"], r"[A-Z0-9]{27}"),
    sure("NEW_RELIC_KEY", &["NRII-", "NRIQ-", "NRRA-", "NRSP-"], r"[A-Za-z0-9_-]{26,42}"),
    sure("NEW_RELIC_KEY", &["NRAA-"], r"[0-9a-f]{27}"),
    sure("NEW_RELIC_KEY", &["NRJS-"], r"[0-9a-f]{19}"),
    sure("NOTION_TOKEN", &["ntn_"], r"[0-9]{11}[A-Za-z0-9]{35}"),
    sure("NOTION_TOKEN", &["secret_"], r"[A-Za-z0-9]{43}"),
    sure("ONEPASSWORD_TOKEN", &["ops_eyJ"], r"[A-Za-z0-9+/_=-]{100,}"),
    within(0, "ONEPASSWORD_SECRET_KEY", &["A3-"], r"[A-Z0-9]{6}-(?:[A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5}"),
    sure("ONESIGNAL_KEY", &["os_v2_app_", "os_v2_org_"], r"[a-z2-7]{50,120}"),
    sure("PINTEREST_TOKEN", &["pina_"], r"[A-Z0-9]{88}"),
    sure("POSTHOG_KEY", &["phx_", "phs_"], r"[A-Za-z0-9]{40,50}"),
    sure("RESEND_KEY", &["re_"], r"[A-Za-z0-9]{8}_[A-Za-z0-9]{22,26}"),
    sure("RETOOL_TOKEN", &["retool_"], r"[A-Za-z0-9_-]{30,60}"),
    sure("SALESFORCE_TOKEN", &["00D"], r"[A-Za-z0-9]{9,15}![A-Za-z0-9_.]{80,120}"),
    sure("SENDGRID_KEY", &["SG."], r"[A-Za-z0-9_-]{16,32}\.[A-Za-z0-9_-]{16,64}"),
    sure("SETTLEMINT_TOKEN", &["sm_pat_", "sm_aat_", "sm_sat_"], r"[A-Za-z0-9]{16}"),
    sure("SLACK_TOKEN", &["xoxb-", "xoxp-", "xoxa-", "xoxo-", "xoxr-", "xoxs-", "xoxc-", "xoxd-"], r"(?:[0-9]-)?[0-9A-Za-z%+/-]{18,300}"),
    sure("SLACK_TOKEN", &["xoxe-"], r"(?:1-)?[A-Za-z0-9-]{40,300}"),
    sure("SLACK_TOKEN", &["xoxe.xoxb-", "xoxe.xoxp-"], r"1-[A-Za-z0-9-]{40,300}"),
    sure("SLACK_TOKEN", &["xapp-"], r"(?:\d-[A-Z0-9]{8,12}-\d{10,14}-[0-9a-f]{50,70}|[0-9]{8,14}-[A-Za-z0-9/]{20,30})"),
    sure("SUPERNOTES_KEY", &["supernotes_sk-", "supernotes_sk_"], r"[A-Za-z0-9_-]{30,60}"),
    sure("TWITCH_STREAM_KEY", &["live_"], r"[0-9]{6,12}_[A-Za-z0-9]{28,32}"),
    sure("TWITTER_BEARER", &["AAAAAAAAAAAAAAAAAAAA"], r"[A-Za-z0-9%]{60,120}"),
    sure("TRELLO_TOKEN", &["ATTA"], r"[0-9a-f]{64,80}"),
    sure("TYPEFORM_TOKEN", &["tfp_"], r"[A-Za-z0-9_.=-]{40,64}"),
    likely("BEAMER_KEY", &["b_"], r"[A-Za-z0-9=_-]{44}"),
    likely("THUNDERSTORE_TOKEN", &["tss_"], r"[A-Za-z0-9_-]{40,60}"),
    likely("VALTOWN_TOKEN", &["vtwn_"], r"[A-Za-z0-9]{27}"),
    sure("XATA_KEY", &["xau_"], r"[A-Za-z0-9]{36}"),
    sure("ZUPLO_KEY", &["zpka_"], r"[A-Za-z0-9_-]{32,64}"),
    sure("MAILSAC_KEY", &["k_"], r"[A-Za-z0-9]{36,50}"),
    sure("WORKOS_KEY", &["sk_live_", "sk_test_"], r"a2V5[A-Za-z0-9+/=]{30,90}"),
];

/// Addresses that open something by themselves.
#[rustfmt::skip]
pub(crate) const ADDRESSES: &[Format] = &[
    sure("SLACK_WEBHOOK", &["hooks.slack.com/"], r"(?:services|workflows|triggers)/T?[A-Za-z0-9]{6,14}/[A-Za-z0-9/]{18,90}"),
    sure("DISCORD_WEBHOOK", &["discord.com/api/", "discordapp.com/api/"], r"(?:v\d+/)?webhooks/\d{17,20}/[A-Za-z0-9_-]{60,80}"),
    sure("TEAMS_WEBHOOK", &["outlook.office.com/webhook", ".webhook.office.com/webhook"], r"b?2?/[0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36}(?:/[A-Za-z0-9_-]+)?"),
    sure("GOOGLE_CHAT_WEBHOOK", &["chat.googleapis.com/v1/spaces/"], r"[A-Za-z0-9_-]+/messages\?key=[A-Za-z0-9_-]+&token=[A-Za-z0-9_%-]{20,}"),
    sure("ZAPIER_WEBHOOK", &["hooks.zapier.com/hooks/"], r"(?:catch|standard)/[0-9]+/[A-Za-z0-9/]{5,40}"),
    sure("IFTTT_WEBHOOK", &["maker.ifttt.com/trigger/"], r"[A-Za-z0-9_-]+/(?:json/)?with/key/[A-Za-z0-9_-]{20,}"),
    sure("MAKE_WEBHOOK", &["hook.make.com/", "hook.eu1.make.com/", "hook.eu2.make.com/", "hook.us1.make.com/", "hook.integromat.com/"], r"[a-z0-9]{28,36}"),
    sure("FEISHU_WEBHOOK", &["open.feishu.cn/open-apis/bot/v2/hook/", "open.larksuite.com/open-apis/bot/v2/hook/"], r"[0-9a-f-]{36}"),
    sure("AZURE_SIGNED_URL", &["&sig=", "?sig="], r"[A-Za-z0-9%+/_-]{43,90}(?:%3[dD]|=)"),
    sure("AWS_SIGNED_URL", &["X-Amz-Signature="], r"[0-9a-f]{64}"),
    sure("THINGSBOARD_TOKEN", &["/api/v1/"], r"[a-z0-9]{20}/(?:telemetry|attributes|rpc)"),
];

/// All tables.
pub(crate) fn all() -> impl Iterator<Item = &'static Format> {
    [CLOUD, CODE, MODELS, MONEY, TALK, ADDRESSES]
        .into_iter()
        .flatten()
}
