// x·xᵀ by the inference library alone, without autograd and training.
#include <nn/session.h>
#include <tensor/ops.h>

#include <iostream>
#include <vector>

int main() {
  const ink::Tensor x = ink::from(std::span<const float>(std::vector<float>{3, 4}), {1, 2});
  const double square = ink::matmul(x, x, false, true).item();
  std::cout << "3·3 + 4·4 = " << square << '\n';
  return square == 25 ? 0 : 1;
}
