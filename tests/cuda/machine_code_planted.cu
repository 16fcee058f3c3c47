// Kernels with mistakes that only machine code shows, for tools/check_machine_code.py --self-test.

// More values alive than 1,024 threads have registers for.
// refused: spilled: keep fewer values alive
__global__ void __launch_bounds__(1024) spilled_kernel(float* x) {
  float v[64];
#pragma unroll
  for (int i = 0; i < 64; ++i) v[i] = x[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 64; ++i) x[i * 1024 + threadIdx.x] = v[i] * v[(7 * i + 3) % 64];
}

// The same without launch bounds, under the name of a kernel that is launched with 1,024 threads.
// refused: decide: cannot run
__global__ void decide_kernel(float* x) {
  float v[96];
#pragma unroll
  for (int i = 0; i < 96; ++i) v[i] = x[i * 1024 + threadIdx.x];
  __syncthreads();
#pragma unroll
  for (int i = 0; i < 96; ++i) x[i * 1024 + threadIdx.x] = v[i] * v[(7 * i + 3) % 96];
}

// Blocks of any size: for 1,024 threads there may be too few registers.
// refused: unbounded: has no launch bounds
__global__ void unbounded_kernel(float* x) { x[threadIdx.x] += 1; }

// A local array whose index is known at run time only.
// refused: stacked: unroll the loops
__global__ void stacked_kernel(float* x, int n) {
  float v[16];
  for (int i = 0; i < n; ++i) v[i % 16] = x[i];
  for (int i = 0; i < n; ++i) x[i] = v[(i * i + 1) % 16];
}

// A literal without f.
// refused: widened: computes in f64
__global__ void widened_kernel(float* x) { x[threadIdx.x] *= 0.1; }

// Products by multiply-adds.
// refused: attention_forward<f32>: has no HMMA
template <class T>
__global__ void attention_forward_kernel(T* x) {
  x[threadIdx.x] = x[2 * threadIdx.x] * x[3 * threadIdx.x] + x[5 * threadIdx.x];
}
template __global__ void attention_forward_kernel<float>(float*);

// Four elements that are read one by one.
// refused: add<f32, 4>: it should read packs
template <class T, int P>
__global__ void add_kernel(T* x) {
  for (int i = 0; i < P; ++i) x[i * 256 + threadIdx.x] += 1;
}
template __global__ void add_kernel<float, 4>(float*);

// Each element is read when the last has been added.
// refused: piece_sums<BlockTeam>: bytes under way on a multiprocessor, 4 a thread
struct BlockTeam {};
template <class Team>
__global__ void __launch_bounds__(512) piece_sums_kernel(Team, const float* x, float* y, int n) {
  float sum = 0;
#pragma unroll 1
  for (int i = threadIdx.x; i < n; i += blockDim.x) sum += x[i];
  y[threadIdx.x] = sum;
}
template __global__ void piece_sums_kernel<BlockTeam>(BlockTeam, const float*, float*, int);

__global__ void __launch_bounds__(256) sound_kernel(float* x) { x[threadIdx.x] *= 0.5f; }
