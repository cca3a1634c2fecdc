//! Everybody who can vouch for somebody, as the configuration names them, and what their words are worth here.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow};
use opendcre_api::LoginProvider;
use opendcre_auth::certificate::{CertificateRules, NameSource};
use opendcre_auth::http_client::ClientSecret;
use opendcre_auth::ldap::{BindGuard, GroupLookup, Ldap, LdapSettings};
use opendcre_auth::oidc::{
    ClaimPath, ClaimPaths, IntrospectionSettings, Oidc, OidcSettings, STALE_KEYS, SigningAlgorithm,
};
use opendcre_auth::proxy::{Network, ProxySettings, TrustedProxy};
use opendcre_auth::token::TokenStore;
use opendcre_auth::{Authenticator, Failure, Providers};
use opendcre_gateway::{CredentialError, Credentials, Defect, Policy, PolicySettings, Role, Rule, Verb};
use opendcre_model::{BoxFuture, Subject, WallClock};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use secrecy::SecretString;

use crate::config::{self, Config, LdapGroups, TokenAlgorithm};
use crate::input::read_text;

/// Enough for all authorities of the world.
const MAX_AUTHORITIES: u64 = 4 << 20;

/// Who finds out who sends a request, and what is wrong with the tokens of this gateway. Where nobody has to log in, whatever
/// is presented counts for nothing.
///
/// # Errors
/// As [`providers`], but for the tokens: without them there is nobody whom they let in, and all the rest works.
pub(super) fn authenticator(
    config: &Config,
    clock: &Arc<dyn WallClock>,
) -> anyhow::Result<(Authenticator, Option<Defect>)> {
    let authenticator = Authenticator::open(Arc::clone(clock));
    if !config.requires_login() {
        return Ok((authenticator, None));
    }
    let mut providers = vouchers(config, clock, authenticator.bind_guard())?;
    let defect = match TokenStore::open(config.tokens_file()) {
        Ok(tokens) => {
            providers.tokens = Some(tokens);
            None
        }
        Err(error) => {
            providers.tokens_failure = Some(error.to_string());
            let message = format!("{error}; then send SIGHUP: until then, no token is accepted");
            Some(Defect { name: "tokens".to_owned(), code: "tokens_unavailable", message })
        }
    };
    if defect.is_none() && can_nobody_log_in(config, &providers)? {
        tracing::warn!(
            "nobody can log in yet; `opendcre token create NAME --role admin` makes the first token"
        );
    }
    authenticator.replace(providers);
    Ok((authenticator, defect))
}

/// What the gateway may ask about logins that are past.
pub(super) struct Logins(pub(super) Arc<Authenticator>);

impl Credentials for Logins {
    fn confirm<'a>(&'a self, subject: &'a Subject) -> BoxFuture<'a, Result<(), CredentialError>> {
        Box::pin(async { self.0.confirm(subject).await.map_err(credential_error) })
    }

    fn bearer<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Subject, CredentialError>> {
        Box::pin(async { self.0.bearer(token).await.map_err(credential_error) })
    }
}

fn credential_error(failure: Failure) -> CredentialError {
    match failure {
        Failure::Rejected { reason } => CredentialError::Void { reason },
        Failure::Unavailable { .. } => CredentialError::Unknown { reason: failure.to_string() },
    }
}

/// Whether there is neither a provider nor a token.
fn can_nobody_log_in(config: &Config, providers: &Providers) -> anyhow::Result<bool> {
    let is_alone = !config.auth.admits_strangers()
        && providers.ldap.is_empty()
        && providers.oidc.is_empty()
        && providers.proxies.is_empty()
        && providers.certificates.is_none();
    let tokens = providers.tokens.as_ref().map(TokenStore::list).transpose()?;
    Ok(is_alone && tokens.is_none_or(|tokens| tokens.is_empty()))
}

/// Checks everything that can be checked without asking anybody, and without a state.
///
/// # Errors
/// What would keep the service from starting.
pub(crate) fn check(config: &Config, clock: &Arc<dyn WallClock>) -> anyhow::Result<()> {
    vouchers(config, clock, &Arc::default())?;
    policy(config)?;
    Ok(())
}

/// Everybody who can vouch for somebody. Reads files, and asks nobody yet. `guard` is that of the authenticator which is
/// to ask them.
///
/// # Errors
/// A file that cannot be read, or a provider that is described in a way that is of no use; the message names it.
pub(super) fn providers(
    config: &Config,
    clock: &Arc<dyn WallClock>,
    guard: &Arc<BindGuard>,
) -> anyhow::Result<Providers> {
    Ok(Providers { tokens: Some(TokenStore::open(config.tokens_file())?), ..vouchers(config, clock, guard)? })
}

/// As [`providers`], but for the tokens of this gateway.
fn vouchers(
    config: &Config,
    clock: &Arc<dyn WallClock>,
    guard: &Arc<BindGuard>,
) -> anyhow::Result<Providers> {
    let auth = &config.auth;
    let ldap = auth.ldap.iter();
    let ldap = ldap.map(|ldap| directory(ldap, guard).with_context(|| format!("auth.ldap {:?}", ldap.name)));
    let oidc = auth.oidc.iter();
    let oidc = oidc.map(|oidc| provider(oidc, clock).with_context(|| format!("auth.oidc {:?}", oidc.name)));
    let proxies = auth.proxy.iter();
    let proxies = proxies.map(|each| proxy(each).with_context(|| format!("auth.proxy {:?}", each.name)));
    Ok(Providers {
        proxies: proxies.collect::<anyhow::Result<_>>()?,
        tokens: None,
        tokens_failure: None,
        oidc: oidc.collect::<anyhow::Result<_>>()?,
        ldap: ldap.collect::<anyhow::Result<_>>()?,
        certificates: auth.certificate.as_ref().map(certificates),
        anonymous: auth.admits_strangers(),
    })
}

fn directory(ldap: &config::Ldap, guard: &Arc<BindGuard>) -> anyhow::Result<Ldap> {
    let password =
        config::secret::text(ldap.bind_password_file.as_deref(), ldap.bind_password_env.as_deref());
    let settings = LdapSettings {
        name: ldap.name.clone(),
        urls: ldap.urls.clone(),
        roots: ldap.ca.as_deref().map(authorities).transpose().context("ca")?,
        bind_dn: ldap.bind_dn.clone(),
        bind_password: password.context("bind_password")?,
        user_base: ldap.user_base.clone(),
        user_filter: Some(ldap.user_filter.clone()),
        user_dn: ldap.user_dn.clone(),
        name_attribute: ldap.name_attribute.clone(),
        groups: Some(match ldap.groups {
            LdapGroups::MemberOf => GroupLookup::MemberOf,
            LdapGroups::GroupOfNames => GroupLookup::GroupOfNames,
            LdapGroups::ActiveDirectory => GroupLookup::ActiveDirectory,
        }),
        group_base: ldap.group_base.clone().or_else(|| ldap.user_base.clone()),
        group_name: ldap.group_name.clone(),
        timeout: ldap.timeout,
        cache: ldap.cache,
        negative_cache: ldap.negative_cache,
    };
    Ok(Ldap::new(settings, Arc::clone(guard))?)
}

fn provider(oidc: &config::Oidc, clock: &Arc<dyn WallClock>) -> anyhow::Result<Oidc> {
    let path = |claim: &Option<String>| claim.as_ref().map(ClaimPath::new);
    let settings = OidcSettings {
        name: oidc.name.clone(),
        issuer: oidc.issuer.clone(),
        audience: oidc.audience.clone(),
        algorithms: oidc.algorithms.iter().copied().map(algorithm).collect(),
        ca: oidc.ca.as_deref().map(authorities_text).transpose().context("ca")?,
        clock_skew: oidc.clock_skew,
        claims: ClaimPaths {
            name: ClaimPath::new(&oidc.name_claim),
            groups: path(&oidc.groups_claim),
            roles: path(&oidc.roles_claim),
        },
        access_token_type_required: oidc.access_token_type_required,
        introspection: introspection(oidc)?,
        stale_keys: STALE_KEYS,
    };
    Ok(Oidc::new(settings, Arc::clone(clock))?)
}

fn introspection(oidc: &config::Oidc) -> anyhow::Result<Option<IntrospectionSettings>> {
    if !oidc.introspect {
        return Ok(None);
    }
    let client =
        ClientSecret { id: oidc.client_id.clone().unwrap_or_default(), secret: client_secret(oidc)? };
    Ok(Some(IntrospectionSettings { client, cache: oidc.introspection_cache }))
}

fn client_secret(oidc: &config::Oidc) -> anyhow::Result<SecretString> {
    let secret = config::secret::text(oidc.client_secret_file.as_deref(), oidc.client_secret_env.as_deref());
    secret.context("client_secret")?.ok_or_else(|| anyhow!("client_secret: there is none"))
}

fn proxy(proxy: &config::Proxy) -> anyhow::Result<TrustedProxy> {
    let addresses = proxy.addresses.iter().map(|text| text.parse::<Network>());
    let settings = ProxySettings {
        name: proxy.name.clone(),
        addresses: addresses.collect::<Result<_, _>>().context("addresses")?,
        unix: proxy.unix,
        secret: config::secret::text(proxy.secret_file.as_deref(), None).context("secret_file")?,
        secret_header: proxy.secret_header.clone(),
        user_header: proxy.user_header.clone(),
        groups_header: proxy.groups_header.clone(),
        strip_realm: proxy.strip_realm,
    };
    Ok(TrustedProxy::new(settings)?)
}

fn certificates(certificate: &config::Certificate) -> CertificateRules {
    let source = |source: &config::NameSource| match source {
        config::NameSource::Upn => NameSource::Upn,
        config::NameSource::Email => NameSource::Email,
        config::NameSource::Dns => NameSource::Dns,
        config::NameSource::Uri => NameSource::Uri,
        config::NameSource::CommonName => NameSource::CommonName,
        config::NameSource::Subject => NameSource::Subject,
    };
    CertificateRules {
        name_from: certificate.name_from.iter().map(source).collect(),
        groups_from_ou: certificate.groups_from_ou,
        refused: Default::default(),
    }
}

const fn algorithm(algorithm: TokenAlgorithm) -> SigningAlgorithm {
    match algorithm {
        TokenAlgorithm::RS256 => SigningAlgorithm::Rs256,
        TokenAlgorithm::RS384 => SigningAlgorithm::Rs384,
        TokenAlgorithm::RS512 => SigningAlgorithm::Rs512,
        TokenAlgorithm::PS256 => SigningAlgorithm::Ps256,
        TokenAlgorithm::PS384 => SigningAlgorithm::Ps384,
        TokenAlgorithm::PS512 => SigningAlgorithm::Ps512,
        TokenAlgorithm::ES256 => SigningAlgorithm::Es256,
        TokenAlgorithm::ES384 => SigningAlgorithm::Es384,
        TokenAlgorithm::EdDsa => SigningAlgorithm::EdDsa,
    }
}

/// The text of a file with authorities in PEM.
///
/// # Errors
/// It cannot be read.
pub(super) fn authorities_text(path: &Path) -> anyhow::Result<Vec<u8>> {
    let text = read_text(path, MAX_AUTHORITIES).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(text.into_bytes())
}

/// The certificates in a file in PEM.
///
/// # Errors
/// It cannot be read, or holds something else.
pub(super) fn authorities(path: &Path) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let text = authorities_text(path)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    found.with_context(|| format!("{} does not hold certificates in PEM", path.display()))
}

/// Who may do what, as the configuration grants it.
///
/// # Errors
/// A grant that makes no sense.
pub(super) fn policy(config: &Config) -> anyhow::Result<Policy> {
    if !config.requires_login() {
        return Ok(Policy::open());
    }
    let auth = &config.auth;
    let role =
        |role: &config::Role| Role { name: role.name.clone(), verbs: role.verbs.iter().map(verb).collect() };
    let rule = |grant: &config::Grant| Rule {
        role: grant.role.clone(),
        users: grant.users.clone(),
        groups: grant.groups.clone(),
        extent: grant.extent(),
    };
    let settings = PolicySettings {
        roles: auth.role.iter().map(role).collect(),
        rules: auth.grant.iter().map(rule).collect(),
        anonymous_role: auth.anonymous.clone(),
        open: false,
    };
    Policy::new(settings).context("auth")
}

const fn verb(verb: &config::Verb) -> Verb {
    match verb {
        config::Verb::Read => Verb::Read,
        config::Verb::Control => Verb::Control,
        config::Verb::Configure => Verb::Configure,
        config::Verb::Audit => Verb::Audit,
    }
}

/// The providers that `opendcre login` can be sent to.
pub(super) fn announced(config: &Config) -> Vec<LoginProvider> {
    let oidc = config.auth.oidc.iter();
    let announced = oidc.filter_map(|oidc| {
        Some(LoginProvider {
            name: oidc.name.clone(),
            issuer: oidc.issuer.clone(),
            client_id: oidc.login_client_id.clone()?,
            scopes: oidc.scopes.clone(),
            resource: oidc.resource.clone(),
        })
    });
    announced.collect()
}
