import { Button, Card, Group, Stack, Text, Title } from "@mantine/core";
import { Link } from "react-router";

import { Logins } from "../portal/ProfilePage";
import { SecondFactorCard } from "../portal/SecondFactorCard";
import { useAdmin } from "./AdminContext";
import { AdminPage } from "./AdminPage";

/** One's own password, second factor and log-ins. */
export function AccountPage() {
  const { me, logOut } = useAdmin();
  return (
    <AdminPage title="Account" lead={me.name ? `You are logged in as ${me.name}.` : undefined}>
      <Stack gap="lg" maw={720}>
        <Card withBorder padding="lg" radius="lg" component="section" aria-labelledby="password">
          <Group justify="space-between" gap="sm">
            <div>
              <Title order={2} id="password">
                Password
              </Title>
              <Text c="dimmed">When it changes, every browser is logged out.</Text>
            </div>
            <Button component={Link} to="/admin/account/password" h={44} variant="default">
              Change password
            </Button>
          </Group>
        </Card>
        <SecondFactorCard factor={me.second_factor} reachable={false} />
        <Logins />
        <Group className="actions">
          <Button size="lg" variant="default" onClick={logOut}>
            Log out
          </Button>
        </Group>
      </Stack>
    </AdminPage>
  );
}
