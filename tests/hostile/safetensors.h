// Hostile and edge-case safetensors files, with the verdict that the strict reader owes each of
// them.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace ink::hostile {

struct File {
  std::string name;
  std::string bytes;
  std::string complaint;  // part of the message; empty where the file is accepted
};

inline std::string with_length(uint64_t length, const std::string& rest) {
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + rest;
}
inline std::string safetensors(const std::string& header, size_t data_bytes = 0) {
  return with_length(header.size(), header) + std::string(data_bytes, '\0');
}
inline std::string repeated(const std::string& text, size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (size_t i = 0; i < times; ++i) out += text;
  return out;
}

inline std::vector<File> safetensors_files() {
  const std::string fields = R"("dtype":"F32","shape":[2],"data_offsets":[0,8])";
  const std::string one = R"("a":{)" + fields + "}";
  const auto tensor = [](const std::string& shape, const std::string& offsets) {
    return R"({"a":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
  };
  const auto second = [&](const std::string& name, const std::string& offsets) {
    return "{" + one + ",\"" + name + R"(":{"dtype":"F32","shape":[2],"data_offsets":)" + offsets +
           "}}";
  };
  return {
      {"one tensor", safetensors("{" + one + "}", 8), ""},
      {"empty file", "", "expected a safetensors file, got 0 bytes"},
      {"7 bytes", std::string(7, '\0'), "got 7 bytes"},
      {"header of no bytes", with_length(0, ""), "should begin with '{'"},
      {"header of 2^64-1 bytes", with_length(UINT64_MAX, "{}"), "at most 100000000 bytes"},
      {"header of 100,000,001 bytes", with_length(100'000'001, "{}"), "at most 100000000 bytes"},
      {"header longer than the file", with_length(1000, "{}"), "may be truncated"},
      {"no tensors", safetensors("{}"), ""},
      {"leading space", safetensors(" {}"), "should begin with '{'"},
      {"trailing spaces", safetensors("{}      "), ""},
      {"trailing newline", safetensors("{}\n"), ""},
      {"trailing text", safetensors("{}x"), "not valid JSON"},
      {"name twice, same range", safetensors("{" + one + "," + one + "}", 8), "a appears twice"},
      {"name twice, two ranges", safetensors(second("a", "[8,16]"), 16), "a appears twice"},
      {"field twice", safetensors(R"({"a":{"dtype":"F16",)" + fields + "}}", 8),
       R"("dtype" appears twice)"},
      {"unknown field", safetensors(R"({"a":{)" + fields + R"(,"x":1}})", 8), ""},
      {"hole", safetensors(second("b", "[12,20]"), 20),
       "b: expected its data to begin at 8, got 12: there is a hole"},
      {"hole at the start", safetensors(tensor("[2]", "[4,12]"), 12), "begin at 0, got 4"},
      {"overlap", safetensors(second("b", "[0,8]"), 8), "tensors overlap"},
      {"partial overlap", safetensors(second("b", "[4,12]"), 12), "tensors overlap"},
      {"data after the last tensor", safetensors("{" + one + "}", 9),
       "something after the last tensor"},
      {"truncated data", safetensors("{" + one + "}", 7), "may be truncated"},
      {"range too short", safetensors(tensor("[3]", "[0,8]"), 8),
       "needs 12 bytes, the range has 8"},
      {"shape overflow", safetensors(tensor("[4294967296,4294967296]", "[0,8]"), 8),
       "too large to count"},
      {"shape overflow times 0", safetensors(tensor("[4611686018427387904,8,0]", "[0,0]")),
       "too large to count"},
      {"shape overflow after 0", safetensors(tensor("[0,4611686018427387904,8]", "[0,0]")),
       "too large to count"},
      {"dimension beyond int64", safetensors(tensor("[9223372036854775808]", "[0,8]"), 8),
       "below 2^63"},
      {"negative dimension", safetensors(tensor("[-1]", "[0,8]"), 8),
       "shape[0]: expected an integer from 0"},
      {"real dimension", safetensors(tensor("[2.0]", "[0,8]"), 8),
       "shape[0]: expected an integer, got 2.0"},
      {"dimension with exponent", safetensors(tensor("[2e0]", "[0,8]"), 8),
       "shape[0]: expected an integer"},
      {"end before begin", safetensors(tensor("[2]", "[8,0]"), 8), "expected an increasing range"},
      {"negative offset", safetensors(tensor("[2]", "[-8,0]"), 8),
       "data_offsets[0]: expected an integer from 0"},
      {"three offsets", safetensors(tensor("[2]", "[0,8,8]"), 8), "expected [begin, end], got 3"},
      {"unknown dtype", safetensors(R"({"a":{"dtype":"X9","shape":[2],"data_offsets":[0,8]}})", 8),
       R"(a: dtype: expected F32, F64, F16, BF16, I64, I32, I8 or U8, got "X9")"},
      {"dtype no string", safetensors(R"({"a":{"dtype":9,"shape":[2],"data_offsets":[0,8]}})", 8),
       "a: dtype: expected a string, got 9"},
      {"no dtype", safetensors(R"({"a":{"shape":[2],"data_offsets":[0,8]}})", 8),
       "a: dtype: this key is missing"},
      {"no shape", safetensors(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})", 8),
       "a: shape: this key is missing"},
      {"no offsets", safetensors(R"({"a":{"dtype":"F32","shape":[2]}})", 8),
       "data_offsets: this key is missing"},
      {"tensor no object", safetensors(R"({"a":[]})"), "a: expected an object with dtype"},
      {"scalar", safetensors(tensor("[]", "[0,4]"), 4), ""},
      {"empty tensor", safetensors(tensor("[0,3]", "[0,0]")), ""},
      {"metadata", safetensors(R"({"__metadata__":{"k":"1"}})"), ""},
      {"metadata of a number", safetensors(R"({"__metadata__":{"k":1}})"),
       "k: expected a string, got 1"},
      {"metadata no object", safetensors(R"({"__metadata__":"k"})"),
       "__metadata__: expected an object"},
      {"metadata twice", safetensors(R"({"__metadata__":{},"__metadata__":{}})"),
       "__metadata__ appears twice"},
      {"bad UTF-8", safetensors("{\"\xff\":{" + fields + "}}", 8), "UTF-8"},
      {"lone surrogate", safetensors(R"({"\ud800":{)" + fields + "}}", 8), "surrogate"},
      {"byte order mark", safetensors("\xef\xbb\xbf{}"), "should begin with '{'"},
      {"deep nesting", safetensors("{\"a\":" + repeated("[", 10000) + repeated("]", 10000) + "}"),
       "nested deeper"},
      {"NUL in a name", safetensors("{\"a\\u0000b\":{" + fields + "}}", 8), "NUL"},
      {"tensors not in order of data",
       safetensors(R"({"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]},)" + one + "}", 16),
       ""},
      {"six dimensions", safetensors(tensor("[1,1,1,1,1,1]", "[0,4]"), 4),
       "expected at most 5 dimensions, got 6; inkstone's tensors have no more"},
      {"1,000,000 dimensions",
       safetensors(tensor("[" + repeated("1,", 999'999) + "1]", "[0,4]"), 4),
       "more than 65536 values"},
      {"list instead of object", safetensors("[]"), "should begin with '{'"},
      {"zip file", "PK\x03\x04" + std::string(100, 'x'), "this is no safetensors file"},
      {"pointer file", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
       "no safetensors file"},
  };
}

}  // namespace ink::hostile
