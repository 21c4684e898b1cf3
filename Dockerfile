# What `make image` writes, for those who have a container engine: docker build . or podman build . or buildah build .
# The version of this image is the newest that rust-version in Cargo.toml was tried with.
FROM rust:1.95-bookworm AS build
WORKDIR /source
COPY . .
ARG SOURCE_DATE_EPOCH=0
ARG REVISION=
RUN make image CARGO_TARGET_DIR=/target REVISION="$REVISION" ROOT=/image

FROM scratch
COPY --from=build /image/ /
USER 65532:65532
WORKDIR /
ENV PATH=/usr/bin
ENTRYPOINT ["/usr/bin/hookgate"]
LABEL org.opencontainers.image.title=hookgate \
      org.opencontainers.image.source=https://github.com/hookgate/hookgate \
      org.opencontainers.image.url=https://github.com/hookgate/hookgate \
      org.opencontainers.image.licenses=Apache-2.0
