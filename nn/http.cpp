// HttpClient on libcurl. The only file that knows it.
#include "nn/http.h"

#include "tensor/error.h"

#ifdef INK_WITH_CURL
#include <curl/curl.h>

#include <algorithm>
#include <exception>
#include <string_view>
#endif

namespace ink {

std::string HttpReply::header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

#ifndef INK_WITH_CURL

struct HttpClient::Handle {};
bool HttpClient::available() { return false; }
HttpClient::HttpClient(double) {
  fail(
      "this build of inkstone cannot download: it was made without libcurl; install "
      "libcurl4-openssl-dev and build again, or put the model's files into a folder and name it");
}
HttpClient::~HttpClient() = default;
HttpReply HttpClient::send(const HttpRequest&) { return {}; }

#else

namespace {

constexpr int kMostRedirects = 10;
constexpr size_t kMostHeaders = 256, kLongestHeader = 16384;

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};
using List = std::unique_ptr<curl_slist, ListDeleter>;

void append(List& list, const std::string& line) {
  list.reset(curl_slist_append(list.release(), line.c_str()));
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && std::string_view(" \t\r\n").find(text.front()) != text.npos)
    text.remove_prefix(1);
  while (!text.empty() && std::string_view(" \t\r\n").find(text.back()) != text.npos)
    text.remove_suffix(1);
  return text;
}

// "https://host:443": whom a token is for.
std::string origin_of(const std::string& url) {
  const std::unique_ptr<CURLU, void (*)(CURLU*)> parsed(curl_url(), curl_url_cleanup);
  check(curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) == CURLUE_OK, "", url,
        " is no address");
  std::string origin;
  for (const CURLUPart part : {CURLUPART_SCHEME, CURLUPART_HOST, CURLUPART_PORT}) {
    char* text = nullptr;
    if (curl_url_get(parsed.get(), part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK)
      origin += std::string(text) + ' ';
    curl_free(text);
  }
  return origin;
}

// One exchange, without redirects.
struct Exchange {
  CURL* curl;
  const HttpRequest& request;
  HttpReply reply = {};
  std::exception_ptr raised = {};

  static size_t take_header(char* text, size_t, size_t size, void* self) {
    HttpReply& reply = static_cast<Exchange*>(self)->reply;
    const std::string_view line(text, size);
    const size_t colon = line.find(':');
    if (line.starts_with("HTTP/")) reply.headers.clear();  // after "100 Continue"
    if (colon == line.npos || size > kLongestHeader || reply.headers.size() > kMostHeaders)
      return size;
    std::string name(line.substr(0, colon));
    std::ranges::transform(name, name.begin(), [](char c) {
      return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    reply.headers[name] = trimmed(line.substr(colon + 1));
    return size;
  }

  static size_t take_body(char* bytes, size_t, size_t size, void* self) {
    auto& exchange = *static_cast<Exchange*>(self);
    exchange.note_status();
    const int status = exchange.reply.status;
    if (!exchange.request.body || (status != 200 && status != 206)) return size;
    try {
      exchange.request.body(exchange.reply, std::as_bytes(std::span(bytes, size)));
    } catch (...) {  // must not pass through C
      exchange.raised = std::current_exception();
      return 0;
    }
    return size;
  }

  void note_status() {
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    reply.status = static_cast<int>(status);
  }
};

}  // namespace

struct HttpClient::Handle {
  CURL* curl;
  double timeout;

  // Returns the address that the reply redirects to; "" where it does not.
  std::string exchange(Exchange& e, const std::string& url, bool with_token) const {
    const HttpRequest& request = e.request;
    char reason[CURL_ERROR_SIZE] = "";
    List headers;
    append(headers, "Accept-Encoding: identity");
    if (with_token && !request.token.empty())
      append(headers, "Authorization: Bearer " + request.token);
    const auto milliseconds = static_cast<long>(1e3 * timeout);
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "inkstone");
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, reason);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, milliseconds);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, std::max(1L, milliseconds / 1000));
    if (request.head) {
      curl_easy_setopt(curl, CURLOPT_NOBODY, 1L);
      curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 2 * milliseconds);
    }
    if (request.from > 0)
      curl_easy_setopt(curl, CURLOPT_RANGE, (std::to_string(request.from) + '-').c_str());
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &Exchange::take_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, &e);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Exchange::take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &e);

    const CURLcode code = curl_easy_perform(curl);
    e.note_status();
    if (e.raised) std::rethrow_exception(e.raised);
    if (code != CURLE_OK) e.reply.failure = *reason ? reason : curl_easy_strerror(code);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, nullptr);
    char* next = nullptr;
    if (code == CURLE_OK) curl_easy_getinfo(curl, CURLINFO_REDIRECT_URL, &next);
    return next ? next : "";
  }
};

bool HttpClient::available() { return true; }

HttpClient::HttpClient(double timeout_seconds) {
  static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
  check(ready == CURLE_OK, "cannot start libcurl: ", curl_easy_strerror(ready));
  handle_ = std::make_unique<Handle>(Handle{curl_easy_init(), timeout_seconds});
  check(handle_->curl != nullptr, "cannot start libcurl");
}

HttpClient::~HttpClient() { curl_easy_cleanup(handle_->curl); }

HttpReply HttpClient::send(const HttpRequest& request) {
  const std::string home = origin_of(request.url);
  std::string url = request.url;
  std::map<std::string, std::string> kept;
  bool with_token = true;
  for (int redirects = 0; redirects <= kMostRedirects; ++redirects) {
    Exchange exchange{handle_->curl, request};
    const std::string next = handle_->exchange(exchange, url, with_token);
    for (const auto& [name, value] : exchange.reply.headers)
      if (name.starts_with("x-")) kept.emplace(name, value);
    const bool leaves = !next.empty() && origin_of(next) != home;
    if (next.empty() || (request.head && leaves)) {
      exchange.reply.headers.insert(kept.begin(), kept.end());
      return exchange.reply;
    }
    check(!url.starts_with("https:") || next.starts_with("https:"), "", url,
          " redirects to an address without encryption; it was not followed");
    if (leaves) with_token = false;  // for good, also when the way leads back
    url = next;
  }
  fail("", request.url, " redirects more than ", kMostRedirects, " times");
}

#endif

}  // namespace ink
