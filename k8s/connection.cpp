#include "k8s/connection.h"

#include "base/check.h"
#include "base/text.h"
#include "k8s/easy.h"
#include "k8s/request_headers.h"
#include "k8s/retry.h"
#include "k8s/send_failure.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace meshtrust::k8s {
namespace {

using std::chrono::milliseconds;

using SteadyTime = std::chrono::steady_clock::time_point;

// Beside libcurl's own codes, which are not negative.
constexpr int kWasCancelled = -1;
constexpr int kFellSilent = -2;

/// The wait on a socket is real, so it is measured by the machine's own clock, as libcurl's is.
SteadyTime steady_now() {
  return std::chrono::steady_clock::now();
}

}  // namespace

struct Connection::Handles {
  // The multi handle goes last: it owns the connection that the easy handle uses.
  Multi multi = make_multi();
  Easy easy = make_easy();
  CurlList detour;  ///< where to connect when the server goes by another name
};

/// What the callbacks of one request see.
struct Connection::Transfer {
  const Request& request;
  CURL* easy;
  std::size_t limit;
  milliseconds silence;
  SteadyTime last_byte = steady_now();
  CurlList headers = {};
  std::string_view body = {};
  std::size_t sent = 0;
  bool began_to_send = false;  ///< also where a repeat has set `sent` back
  bool lost_the_look = false;  ///< a new connection would have been opened and must not be
  std::size_t received = 0;
  bool too_large = false;
  Reply reply = {};
  std::array<char, CURL_ERROR_SIZE> words{};

  static std::size_t give(char* into, std::size_t size, std::size_t count, void* self) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::size_t part = std::min(size * count, transfer.body.size() - transfer.sent);
    std::memcpy(into, transfer.body.data() + transfer.sent, part);
    transfer.sent += part;
    transfer.began_to_send = true;
    transfer.last_byte = steady_now();
    return part;
  }

  /// In place of opening a socket, where the request belongs to the connection of a look.
  static curl_socket_t refuse_socket(void* self,
                                     curlsocktype /*purpose*/,
                                     curl_sockaddr* /*address*/) noexcept {
    static_cast<Transfer*>(self)->lost_the_look = true;
    return CURL_SOCKET_BAD;
  }

  static int rewind(void* self, curl_off_t offset, int origin) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    if (origin != SEEK_SET || offset < 0) return CURL_SEEKFUNC_CANTSEEK;
    if (static_cast<std::size_t>(offset) > transfer.body.size()) return CURL_SEEKFUNC_FAIL;
    transfer.sent = static_cast<std::size_t>(offset);
    return CURL_SEEKFUNC_OK;
  }

  static std::size_t note_header(char* /*line*/,
                                 std::size_t size,
                                 std::size_t count,
                                 void* self) noexcept {
    static_cast<Transfer*>(self)->last_byte = steady_now();
    return size * count;
  }

  bool is_streamed() const {
    long status = 0;
    curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    return request.sink && status == 200;
  }

  static std::size_t take(char* from, std::size_t size, std::size_t count, void* self) noexcept {
    auto& transfer = *static_cast<Transfer*>(self);
    const std::size_t part = size * count;
    transfer.last_byte = steady_now();
    if (transfer.is_streamed()) {
      transfer.reply.stopped = !transfer.request.sink(std::string_view(from, part));
      return transfer.reply.stopped ? CURL_WRITEFUNC_ERROR : part;
    }
    if (part > transfer.limit - transfer.received) {
      transfer.too_large = true;
      return CURL_WRITEFUNC_ERROR;
    }
    transfer.received += part;
    if (transfer.request.content == Content::kConfidential) {
      transfer.reply.secret_body.append(std::string_view(from, part));
    } else {
      transfer.reply.body.append(from, part);
    }
    return part;
  }
};

Connection::Connection(const ClientSettings& settings,
                       std::shared_ptr<const ClientIdentity> identity,
                       const HttpOptions& options)
    : settings_(settings),
      identity_(std::move(identity)),
      options_(options),
      handles_(std::make_unique<Handles>()) {}

Connection::~Connection() = default;

base::Result<Reply, SendFailure> Connection::exchange(const Request& request,
                                                      const base::Clock& clock,
                                                      const base::Cancellation& cancellation) {
  if (request.look_first == nullptr) return exchange(request, Turn::kOnly, clock, cancellation);
  MESHTRUST_CHECK(request.content == Content::kConfidential);
  const Request look{.target = request.look_first->target,
                     .accept = request.look_first->accept,
                     .content = Content::kConfidential,
                     .authorization = request.authorization,
                     .at_most = request.at_most};
  auto seen = exchange(look, Turn::kLook, clock, cancellation);
  if (!seen) {
    SendFailure& failure = seen.error();
    // Whatever became of the look, nothing of the request has left.
    if (failure.left_open()) failure.stage = SendFailure::Stage::kConnect;
    return seen;
  }
  seen->of_look = true;
  // A credential may be refreshed and a busy server asked again, by whoever repeats requests.
  const bool may_pass = seen->status == 401 || seen->status == 429 || seen->status >= 500;
  if (may_pass) return seen;
  if (auto verdict = request.look_first->judge(*seen); !verdict) {
    return base::Failure<SendFailure>{
        {.stage = SendFailure::Stage::kLook, .error = std::move(verdict).error()}};
  }
  return exchange(request, Turn::kAfter, clock, cancellation);
}

base::Result<Reply, SendFailure> Connection::exchange(const Request& request,
                                                      Turn turn,
                                                      const base::Clock& clock,
                                                      const base::Cancellation& cancellation) {
  reusable_ = false;
  CURL* easy = handles_->easy.get();
  Transfer transfer{.request = request,
                    .easy = easy,
                    .limit = request.answer_limit_bytes.value_or(options_.answer_limit_bytes),
                    .silence = request.silence.value_or(options_.silence_timeout)};
  curl_easy_reset(easy);
  configure(transfer, request, turn);

  const int code = drive(transfer, cancellation);
  if (code != CURLE_OK && !transfer.reply.stopped) return failed(code, transfer, clock);
  read_headers(transfer.reply, clock.now());
  reusable_ = request.content == Content::kOrdinary && !transfer.reply.stopped;
  return std::move(transfer.reply);
}

base::Failure<SendFailure> Connection::failed(int code,
                                              const Transfer& transfer,
                                              const base::Clock& clock) const {
  long os_error = 0;
  long connect_code = 0;
  long verify_result = 0;
  curl_off_t connected_after = 0;
  curl_easy_getinfo(handles_->easy.get(), CURLINFO_HTTP_CONNECTCODE, &connect_code);
  curl_easy_getinfo(handles_->easy.get(), CURLINFO_OS_ERRNO, &os_error);
  curl_easy_getinfo(handles_->easy.get(), CURLINFO_SSL_VERIFYRESULT, &verify_result);
  curl_easy_getinfo(handles_->easy.get(), CURLINFO_PRETRANSFER_TIME_T, &connected_after);
  return base::Failure<SendFailure>{explain_failure(
      {.curl_code = code,
       .cancelled = code == kWasCancelled,
       .silent_for = code == kFellSilent ? transfer.silence : milliseconds(0),
       .too_large = transfer.too_large,
       .was_connected = transfer.lost_the_look ? transfer.began_to_send : connected_after > 0,
       .lost_the_look = transfer.lost_the_look,
       .connect_code = static_cast<int>(connect_code),
       .os_error = static_cast<int>(os_error),
       .verify_result = verify_result,
       .words = transfer.words.data(),
       .limit_bytes = transfer.limit,
       .identity = identity_.get(),
       .now = clock.now()},
      settings_, options_.proxy)};
}

base::Result<std::vector<std::string>, SendFailure> Connection::serving_chain(
    const base::Clock& clock, const base::Cancellation& cancellation) {
  CURL* easy = handles_->easy.get();
  const Request request{.at_most = options_.connect_timeout};
  Transfer transfer{
      .request = request, .easy = easy, .limit = 0, .silence = options_.silence_timeout};
  curl_easy_reset(easy);
  set_server(easy, settings_, options_, request.target, handles_->detour);
  configure_time(request);
  set_proxy_tls(easy, settings_);
  set(easy, CURLOPT_ERRORBUFFER, transfer.words.data());
  set(easy, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  set(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());  // for a proxy's CONNECT
  set(easy, CURLOPT_SSL_VERIFYPEER, 0L);
  set(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  set(easy, CURLOPT_CERTINFO, 1L);
  set(easy, CURLOPT_CONNECT_ONLY, 1L);
  if (const int code = drive(transfer, cancellation); code != CURLE_OK) {
    return failed(code, transfer, clock);
  }
  std::vector<std::string> chain;
  const curl_certinfo* certificates = nullptr;
  curl_easy_getinfo(easy, CURLINFO_CERTINFO, &certificates);
  constexpr std::string_view kField = "Cert:";
  for (int i = 0; certificates != nullptr && i < certificates->num_of_certs; ++i) {
    for (const curl_slist* line = certificates->certinfo[i]; line != nullptr; line = line->next) {
      const std::string_view text = line->data;
      if (text.starts_with(kField)) chain.emplace_back(text.substr(kField.size()));
    }
  }
  return chain;
}

void Connection::configure(Transfer& transfer, const Request& request, Turn turn) {
  CURL* easy = handles_->easy.get();
  set_server(easy, settings_, options_, request.target, handles_->detour);
  set_tls(easy, settings_, identity_.get());
  configure_body(transfer, request);

  configure_time(request);
  set(easy, CURLOPT_FOLLOWLOCATION, 0L);
  set(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
  set(easy, CURLOPT_ERRORBUFFER, transfer.words.data());
  set(easy, CURLOPT_WRITEFUNCTION, &Transfer::take);
  set(easy, CURLOPT_WRITEDATA, &transfer);
  set(easy, CURLOPT_HEADERFUNCTION, &Transfer::note_header);
  set(easy, CURLOPT_HEADERDATA, &transfer);
  for (const base::Secret& line : request_headers(settings_, request)) {
    add_line(transfer.headers, reveal(line, "request header for libcurl").data());
  }
  add_line(transfer.headers, "Expect:");  // a round trip that API servers do not need
  set(easy, CURLOPT_HTTPHEADER, transfer.headers.get());

  const bool confidential = request.content == Content::kConfidential;
  // HTTP/1.1 keeps one library less between the body and the wire.
  set(easy, CURLOPT_HTTP_VERSION,
      static_cast<long>(confidential ? CURL_HTTP_VERSION_1_1 : CURL_HTTP_VERSION_2TLS));
  set(easy, CURLOPT_FRESH_CONNECT, confidential && turn != Turn::kAfter ? 1L : 0L);
  set(easy, CURLOPT_FORBID_REUSE, confidential && turn != Turn::kLook ? 1L : 0L);
  if (turn == Turn::kAfter) {
    // libcurl would open another connection where this one is gone, and send the body over it.
    set(easy, CURLOPT_OPENSOCKETFUNCTION, &Transfer::refuse_socket);
    set(easy, CURLOPT_OPENSOCKETDATA, &transfer);
  }
  if (settings_.compress && !confidential) set(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
}

void Connection::configure_time(const Request& request) {
  CURL* easy = handles_->easy.get();
  milliseconds whole = request.sink ? milliseconds(0) : options_.request_timeout;  // 0: no bound
  if (request.at_most) {
    whole = std::max(milliseconds(1),
                     request.sink ? *request.at_most : std::min(*request.at_most, whole));
  }
  const milliseconds to_connect =
      whole.count() > 0 ? std::min(whole, options_.connect_timeout) : options_.connect_timeout;
  set(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(whole.count()));
  set(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(to_connect.count()));
  set(easy, CURLOPT_TCP_KEEPALIVE, 1L);  // finds a peer that vanished under an idle watch
  set(easy, CURLOPT_TCP_KEEPIDLE, 30L);
  set(easy, CURLOPT_TCP_KEEPINTVL, 10L);
  set(easy, CURLOPT_NOSIGNAL, 1L);
  set(easy, CURLOPT_QUICK_EXIT, 1L);  // a hanging name server must not hold up Ctrl-C
}

void Connection::configure_body(Transfer& transfer, const Request& request) {
  CURL* easy = handles_->easy.get();
  if (request.method == Method::kGet) {
    set(easy, CURLOPT_HTTPGET, 1L);
    return;
  }
  transfer.body = request.secret_body != nullptr
                      ? reveal(*request.secret_body, "request body to the API server")
                      : std::string_view(request.body);
  if (!transfer.body.empty() || request.method != Method::kDelete) {
    set(easy, CURLOPT_UPLOAD, 1L);
    set(easy, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(transfer.body.size()));
    set(easy, CURLOPT_READFUNCTION, &Transfer::give);
    set(easy, CURLOPT_READDATA, &transfer);
    set(easy, CURLOPT_SEEKFUNCTION, &Transfer::rewind);
    set(easy, CURLOPT_SEEKDATA, &transfer);
  }
  set(easy, CURLOPT_CUSTOMREQUEST, name_of(request.method).data());
}

int Connection::drive(const Transfer& transfer, const base::Cancellation& cancellation) {
  CURLM* multi = handles_->multi.get();
  CURL* easy = handles_->easy.get();
  MESHTRUST_CHECK(curl_multi_add_handle(multi, easy) == CURLM_OK);
  int result = kWasCancelled;
  while (!cancellation.is_cancelled()) {
    int running = 0;
    MESHTRUST_CHECK(curl_multi_perform(multi, &running) == CURLM_OK);
    if (running == 0) {
      int left = 0;
      const CURLMsg* message = curl_multi_info_read(multi, &left);
      MESHTRUST_CHECK(message != nullptr && message->msg == CURLMSG_DONE);
      result = message->data.result;  // NOLINT(cppcoreguidelines-pro-type-union-access): by libcurl
      break;
    }
    const auto left =
        std::chrono::ceil<milliseconds>(transfer.last_byte + transfer.silence - steady_now());
    if (left.count() <= 0) {
      result = kFellSilent;
      break;
    }
    const int pause = static_cast<int>(std::min<milliseconds::rep>(left.count(), 60'000));
    curl_waitfd stop{.fd = cancellation.fd(), .events = CURL_WAIT_POLLIN, .revents = 0};
    MESHTRUST_CHECK(curl_multi_poll(multi, &stop, 1, pause, nullptr) == CURLM_OK);
  }
  curl_multi_remove_handle(multi, easy);
  return result;
}

void Connection::read_headers(Reply& reply, base::Instant now) const {
  CURL* easy = handles_->easy.get();
  long status = 0;
  long version = 0;
  const char* content_type = nullptr;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(easy, CURLINFO_HTTP_VERSION, &version);
  curl_easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &content_type);
  reply.status = static_cast<int>(status);
  reply.used_http2 = version == CURL_HTTP_VERSION_2_0;
  if (content_type != nullptr) reply.content_type = content_type;

  const auto value_of = [easy](const char* name) -> std::string_view {
    curl_header* found = nullptr;
    const auto code = curl_easy_header(easy, name, 0, CURLH_HEADER, -1, &found);
    return code == CURLHE_OK ? std::string_view(found->value) : std::string_view();
  };
  reply.retry_after = parse_retry_after(value_of("Retry-After"), value_of("Date"), now);
  reply.audit_id = base::printable(value_of("Audit-Id"), 64);
  curl_header* header = nullptr;
  const time_t date = curl_getdate(std::string(value_of("Date")).c_str(), nullptr);
  if (date > 0) {
    reply.date = std::chrono::floor<base::Seconds>(std::chrono::system_clock::from_time_t(date));
  }
  curl_off_t ready_at = 0;
  curl_off_t answered_at = 0;
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &ready_at);
  curl_easy_getinfo(easy, CURLINFO_STARTTRANSFER_TIME_T, &answered_at);
  reply.waited = std::chrono::microseconds(answered_at - ready_at);
  for (std::size_t i = 0;
       curl_easy_header(easy, "Warning", i, CURLH_HEADER, -1, &header) == CURLHE_OK; ++i) {
    if (auto text = warning_text(header->value)) reply.warnings.push_back(std::move(*text));
  }
}

}  // namespace meshtrust::k8s
