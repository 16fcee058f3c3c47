// Requests over HTTP, by libcurl: redirects, a token for one host, ranges, time limits.
//
// Builds without libcurl have the class too; its constructor raises Error then.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>

namespace ink {

struct HttpReply {
  int status = 0;                              // 0 where none came
  std::string failure = {};                    // why the reply is incomplete; empty where it is not
  std::map<std::string, std::string> headers;  // names in lower case

  std::string header(const std::string& name) const;  // "" where absent
};

struct HttpRequest {
  std::string url;
  bool head = false;       // ask for headers alone
  std::string token = {};  // sent as a bearer token, never to another host
  uint64_t from = 0;       // ask for the bytes from there on
  // Gets the body piece by piece where the status is 200 or 206; its exceptions end the request
  // and are passed on.
  std::function<void(const HttpReply& so_far, std::span<const std::byte>)> body = {};
};

class HttpClient {
 public:
  // A request fails when nothing arrives for `timeout_seconds`.
  explicit HttpClient(double timeout_seconds);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  static bool available();

  // Follows up to 10 redirects; a request for headers alone only those within one host: where a
  // file is really kept does not matter to it. Headers x-… of replies on the way are kept. Raises
  // Error for an endless chain of redirects and for one from https to http.
  HttpReply send(const HttpRequest& request);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace ink
