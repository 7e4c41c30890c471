#pragma once

#include "base/check.h"
#include "k8s/http.h"

#include <curl/curl.h>

#include <memory>
#include <string_view>

namespace meshtrust::k8s {

// libcurl's objects and what every connection to an API server has in common, for the few sources
// of this room that open one.

struct FreeEasy {
  void operator()(CURL* easy) const noexcept { curl_easy_cleanup(easy); }
};
struct FreeMulti {
  void operator()(CURLM* multi) const noexcept { curl_multi_cleanup(multi); }
};
/// One of the headers is the credential, so each is wiped.
struct WipeList {
  void operator()(curl_slist* list) const noexcept;
};
using Easy = std::unique_ptr<CURL, FreeEasy>;
using Multi = std::unique_ptr<CURLM, FreeMulti>;
using CurlList = std::unique_ptr<curl_slist, WipeList>;

/// A new handle. Never null; libcurl is initialised by the first of them.
Easy make_easy();
Multi make_multi();
void add_line(CurlList& lines, const char* line);

/// Every option used here exists in the oldest supported libcurl, so only a lack of memory or a
/// mistake of ours could make one fail.
template <class Value>
void set(CURL* easy, CURLoption option, Value value) {
  MESHTRUST_CHECK(curl_easy_setopt(easy, option, value) == CURLE_OK);
}

/// Which server, under which name, through which proxy. `detour` is where a list goes that `easy`
/// reads until its next reset.
void set_server(CURL* easy,
                const ClientSettings& settings,
                const HttpOptions& options,
                std::string_view target,
                CurlList& detour);
/// TLS with a proxy that speaks it: judged by the roots of the server, as Go programs do.
void set_proxy_tls(CURL* easy, const ClientSettings& settings);
/// TLS 1.2 or newer with server and proxy, the roots and the client certificate, which `easy` reads
/// in place. A certificate without a host in its subjectAltName is refused.
void set_tls(CURL* easy, const ClientSettings& settings, const ClientIdentity* identity);

}  // namespace meshtrust::k8s
