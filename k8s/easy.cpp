#include "k8s/easy.h"

#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstring>
#include <mutex>
#include <string>

namespace meshtrust::k8s {
namespace {

void initialise_curl() {
  static std::once_flag once;
  std::call_once(once, [] { MESHTRUST_CHECK(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

/// libcurl reads `text` in place: no copy is made, and it outlives the handle.
void set_blob(CURL* easy, CURLoption option, std::string_view text) {
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-const-cast): the C struct has no const
  char* const data = const_cast<char*>(text.data());
  curl_blob blob{.data = data, .len = text.size(), .flags = CURL_BLOB_NOCOPY};
  set(easy, option, &blob);
}

/// Whether `certificate` says in its subjectAltName which host it is for.
bool names_a_host(const X509* certificate) {
  auto* const names = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  bool found = false;
  for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
    const int type = sk_GENERAL_NAME_value(names, i)->type;
    found = found || type == GEN_DNS || type == GEN_IPADD;
  }
  GENERAL_NAMES_free(names);
  return found;
}

/// Where a certificate names no host, libcurl compares the common name instead, which RFC 9525
/// section 2 forbids and no Go program does.
int want_host_in_alternative_names(int ok, X509_STORE_CTX* chain) {
  const bool is_server = X509_STORE_CTX_get_error_depth(chain) == 0;
  if (ok != 1 || !is_server || names_a_host(X509_STORE_CTX_get_current_cert(chain))) return ok;
  X509_STORE_CTX_set_error(chain, X509_V_ERR_HOSTNAME_MISMATCH);
  return 0;
}

/// Called for the server, and before it for a proxy that speaks TLS.
CURLcode refuse_common_names(CURL* /*easy*/, void* context, void* /*unused*/) {
  auto* const tls = static_cast<SSL_CTX*>(context);
  SSL_CTX_set_verify(tls, SSL_CTX_get_verify_mode(tls), &want_host_in_alternative_names);
  return CURLE_OK;
}

}  // namespace

void WipeList::operator()(curl_slist* list) const noexcept {
  for (curl_slist* node = list; node != nullptr; node = node->next) {
    OPENSSL_cleanse(node->data, std::strlen(node->data));
  }
  curl_slist_free_all(list);
}

Easy make_easy() {
  initialise_curl();
  Easy easy(curl_easy_init());
  MESHTRUST_CHECK(easy != nullptr);
  return easy;
}

Multi make_multi() {
  initialise_curl();
  Multi multi(curl_multi_init());
  MESHTRUST_CHECK(multi != nullptr);
  return multi;
}

void add_line(CurlList& lines, const char* line) {
  curl_slist* longer = curl_slist_append(lines.get(), line);
  MESHTRUST_CHECK(longer != nullptr);
  (void)lines.release();
  lines.reset(longer);
}

void set_server(CURL* easy,
                const ClientSettings& settings,
                const HttpOptions& options,
                std::string_view target,
                CurlList& detour) {
  ServerUrl named = settings.server;
  if (!settings.tls_server_name.empty()) {
    // The name in the URL is what libcurl sends as SNI and checks; the connection goes elsewhere.
    named.host = settings.tls_server_name;
    const std::string connect_to = named.authority() + ":" + settings.server.authority();
    detour.reset();
    add_line(detour, connect_to.c_str());
    set(easy, CURLOPT_CONNECT_TO, detour.get());
  }
  const std::string url = named.text() + std::string(target);
  set(easy, CURLOPT_URL, url.c_str());
  set(easy, CURLOPT_PROTOCOLS_STR, "https");
  set(easy, CURLOPT_PATH_AS_IS, 1L);
  // Always said, so that libcurl does not look at the environment by rules of its own.
  const std::string proxy = choose_proxy(settings.server, settings.proxy_url, options.proxy);
  set(easy, CURLOPT_PROXY, proxy.c_str());
  set(easy, CURLOPT_NOPROXY, "");
}

void set_proxy_tls(CURL* easy, const ClientSettings& settings) {
  set(easy, CURLOPT_PROXY_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(easy, CURLOPT_PROXY_SSL_VERIFYPEER, settings.verify_server ? 1L : 0L);
  set(easy, CURLOPT_PROXY_SSL_VERIFYHOST, settings.verify_server ? 2L : 0L);
  if (settings.verify_server) set(easy, CURLOPT_SSL_CTX_FUNCTION, &refuse_common_names);
  if (settings.certificate_authority.empty()) return;
  set_blob(easy, CURLOPT_PROXY_CAINFO_BLOB, settings.certificate_authority);
  set(easy, CURLOPT_PROXY_CAPATH, static_cast<const char*>(nullptr));
}

void set_tls(CURL* easy, const ClientSettings& settings, const ClientIdentity* identity) {
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(easy, CURLOPT_SSL_VERIFYPEER, settings.verify_server ? 1L : 0L);
  set(easy, CURLOPT_SSL_VERIFYHOST, settings.verify_server ? 2L : 0L);
  if (!settings.certificate_authority.empty()) {
    set_blob(easy, CURLOPT_CAINFO_BLOB, settings.certificate_authority);
    set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
  }
  set_proxy_tls(easy, settings);
  if (identity == nullptr) return;
  set(easy, CURLOPT_SSLCERTTYPE, "PEM");
  set_blob(easy, CURLOPT_SSLCERT_BLOB, identity->certificate);
  set(easy, CURLOPT_SSLKEYTYPE, "PEM");
  set_blob(easy, CURLOPT_SSLKEY_BLOB, reveal(identity->key, "client key for TLS"));
}

}  // namespace meshtrust::k8s
