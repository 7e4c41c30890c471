#include "k8s/easy.h"

#include <openssl/crypto.h>

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

void set_tls(CURL* easy, const ClientSettings& settings, const ClientIdentity* identity) {
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(easy, CURLOPT_SSL_VERIFYPEER, settings.verify_server ? 1L : 0L);
  set(easy, CURLOPT_SSL_VERIFYHOST, settings.verify_server ? 2L : 0L);
  set(easy, CURLOPT_PROXY_SSL_VERIFYPEER, settings.verify_server ? 1L : 0L);
  set(easy, CURLOPT_PROXY_SSL_VERIFYHOST, settings.verify_server ? 2L : 0L);
  if (!settings.certificate_authority.empty()) {
    set_blob(easy, CURLOPT_CAINFO_BLOB, settings.certificate_authority);
    set(easy, CURLOPT_CAPATH, static_cast<const char*>(nullptr));
    // A proxy that speaks TLS itself is judged by the same roots, as Go does.
    set_blob(easy, CURLOPT_PROXY_CAINFO_BLOB, settings.certificate_authority);
    set(easy, CURLOPT_PROXY_CAPATH, static_cast<const char*>(nullptr));
  }
  if (identity == nullptr) return;
  set(easy, CURLOPT_SSLCERTTYPE, "PEM");
  set_blob(easy, CURLOPT_SSLCERT_BLOB, identity->certificate);
  set(easy, CURLOPT_SSLKEYTYPE, "PEM");
  set_blob(easy, CURLOPT_SSLKEY_BLOB, reveal(identity->key, "client key for TLS"));
}

}  // namespace meshtrust::k8s
