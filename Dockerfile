# syntax=docker/dockerfile:1
# One image for every command. What goes in is decided by .dockerignore; the caches outlive the build, the layers don't hold them.
FROM rust:1.95.0-slim-bookworm AS build
# What librdkafka is built with.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends g++ make \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked --package onsale --bin onsale \
    && install -D --strip target/release/onsale /out/onsale

# The same Debian as the build's: one glibc.
FROM debian:12.12-slim
RUN apt-get update \
    # The authorities that webhooks' endpoints and Stripe are believed by.
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 10001 onsale \
    && useradd --uid 10001 --gid onsale --no-create-home --home-dir / --shell /usr/sbin/nologin onsale
COPY --from=build /out/onsale /usr/local/bin/onsale
USER 10001:10001
WORKDIR /
# Loopback inside a container is nobody's. The second and third listener are for the networks of operators only.
ENV ONSALE__SERVER__LISTEN=0.0.0.0:8080 \
    ONSALE__SERVER__OPS_LISTEN=0.0.0.0:9090 \
    ONSALE__WORKER__OPS_LISTEN=0.0.0.0:9091 \
    ONSALE__TELEMETRY__FORMAT=json
EXPOSE 8080 9090 9091
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 CMD ["onsale", "health"]
ENTRYPOINT ["onsale"]
CMD ["serve"]
